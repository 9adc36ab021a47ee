"""`portcullis mcp-sql` as the official Python client of the Model Context Protocol sees it."""

import asyncio
import json
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

PROGRAM, DATABASE, POLICY = sys.argv[1:4]
POSTGRES = DATABASE.startswith("postgres")
WRITES = sys.argv[4] == "writes"


def same(found, expected):
    assert found == expected, f"\n  found    {found!r}\n  expected {expected!r}"


async def call(session, tool, **arguments):
    """What a tool answers, and whether it is a refusal."""
    result = await session.call_tool(tool, arguments)
    text = "".join(part.text for part in result.content)
    if result.is_error:
        return text, True
    # Structured content and text say the same.
    same(json.loads(text), result.structured_content)
    return result.structured_content, False


async def rows(session, sql, tool="query"):
    told, refused = await call(session, tool, sql=sql)
    assert not refused, f"{sql}: {told}"
    return told["rows"]


async def refused(session, sql, *words, tool="query"):
    told, was = await call(session, tool, sql=sql)
    assert was, f"{sql}: {told}"
    for secret in ("opensesame", "MARK", "host=", "/tmp"):
        assert secret not in told, told
    for word in words:
        assert word in told, f"{sql}: {told}"


async def reading(session):
    names = [tool.name for tool in (await session.list_tools()).tools]
    same(names, ["list_tables", "describe_table", "query"] + (["execute"] if WRITES else []))
    told, _ = await call(session, "list_tables")
    same(sorted(table["name"] for table in told["tables"]), ["customers", "orders"])
    told, _ = await call(session, "describe_table", table="customers")
    same([column["name"] for column in told["columns"]], ["id", "name", "email"])
    same([column["masked"] for column in told["columns"]], [False, False, True])
    told, was = await call(session, "describe_table", table="secrets")
    assert was and "secrets" in told, told

    same(await rows(session, "SELECT * FROM customers ORDER BY id"), [[1, "Ann", "***"], [2, "Bob", None]])
    same(await rows(session, "SELECT c.email || 'x' AS e FROM customers AS c WHERE c.id = 1"), [["***x"]])
    same(await rows(session, "SELECT count(*) FROM customers"), [[2]])
    same(
        await rows(session, "SELECT c.name, sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.name ORDER BY 1"),
        [["Ann", 30], ["Bob", 5]],
    )
    told, _ = await call(session, "query", sql="SELECT a.id FROM orders a, orders b, orders c")
    same((len(told["rows"]), told["truncated"]), (10, True))
    told, _ = await call(session, "query", sql="SELECT id FROM orders ORDER BY id")
    same((told["rows"], told["truncated"], told["columns"]), ([[1], [2], [3]], False, ["id"]))
    told, _ = await call(session, "query", sql="SELECT note FROM orders, (SELECT 1 AS one) x")
    same((len(told["rows"]), told["truncated"]), (1, True))

    await refused(session, "SELECT ssn FROM customers", "ssn")
    await refused(session, "SELECT * FROM secrets", "secrets", "customers")
    await refused(session, "SELECT * FROM customers; DROP TABLE customers", "one statement")
    await refused(session, "DELETE FROM customers WHERE id = 1")
    await refused(session, "SELECT nonsense FROM", "parsed")
    await refused(session, "SELECT pg_read_file('/etc/passwd')" if POSTGRES else "SELECT load_extension('x')", "function")
    slow = " CROSS JOIN ".join(f"orders o{n}" for n in range(8))
    if POSTGRES:
        await refused(session, f"SELECT count(*) FROM {slow} WHERE slow(o1.id) = 'x'", "longer")


async def writing(session):
    await refused(session, "UPDATE customers SET name = 'x' WHERE id = 1", "execute")
    told, was = await call(session, "execute", sql="UPDATE customers SET name = upper(name) WHERE id = 1 OR id = 3")
    assert not was, told
    same(told["rows_changed"], 1)
    same(await rows(session, "SELECT name FROM customers ORDER BY id"), [["ANN"], ["Bob"]])
    same(await rows(session, "INSERT INTO customers (id, name) VALUES (7, 'Eve') RETURNING id, name", "execute"), [[7, "Eve"]])
    same(await rows(session, "SELECT count(*) FROM customers"), [[3]])
    await refused(session, "UPDATE customers SET gone = 1 WHERE id = 1", "gone", tool="execute")
    await refused(session, "DELETE FROM orders WHERE id = 1", "orders", tool="execute")
    await refused(session, "DELETE FROM customers", "WHERE", tool="execute")


async def main():
    environment = {"DATABASE_URL": DATABASE}
    server = StdioServerParameters(command=PROGRAM, args=["mcp-sql", "--database", "env:DATABASE_URL", "--policy", POLICY], env=environment)
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        told = await session.initialize()
        same(told.server_info.name, "portcullis-mcp-sql")
        await reading(session)
        if WRITES:
            await writing(session)
    print("all cases hold")


asyncio.run(asyncio.wait_for(main(), 60))
