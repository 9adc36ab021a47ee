//! The protocol's side: which tools there are, and how answers and refusals are told.
//!
//! A refusal is an answer of the tool, not an error of the protocol: a model reads it and writes another statement.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::{Value, json};

use crate::{DatabaseError, Guard};

/// Serves one client over standard input and output.
pub(crate) async fn stdio(guard: Guard) -> Result<(), DatabaseError> {
    let failed = |why: String| DatabaseError::Said(format!("the protocol failed: {why}"));
    let service = Served(guard)
        .serve(rmcp::transport::stdio())
        .await
        .map_err(|error| failed(error.to_string()))?;
    service
        .waiting()
        .await
        .map_err(|error| failed(error.to_string()))?;
    Ok(())
}

struct Served(Guard);

impl Served {
    fn tools(&self) -> Vec<Tool> {
        let statement = json!({"type": "object", "additionalProperties": false, "required": ["sql"],
            "properties": {"sql": {"type": "string", "description": "One statement, without placeholders."}}});
        let table = json!({"type": "object", "additionalProperties": false, "required": ["table"],
            "properties": {"table": {"type": "string"}, "schema": {"type": "string"}}});
        let reads = || ToolAnnotations::new().read_only(true).open_world(false);
        let mut tools = vec![
            tool(
                "list_tables",
                "The tables that can be used, and what may be done with each.",
                json!({"type": "object", "additionalProperties": false}),
                reads(),
            ),
            tool(
                "describe_table",
                "The columns of a table that can be used.",
                table,
                reads(),
            ),
            tool(
                "query",
                "Runs one SELECT and returns its rows. Long answers are cut: prefer aggregates and LIMIT.",
                statement.clone(),
                reads(),
            ),
        ];
        if self.0.may_write() {
            let writes = ToolAnnotations::new()
                .read_only(false)
                .destructive(true)
                .open_world(false);
            tools.push(tool(
                "execute",
                "Runs one INSERT, UPDATE or DELETE.",
                statement,
                writes,
            ));
        }
        tools
    }

    async fn called(&self, name: &str, arguments: &JsonObject) -> Option<Result<Value, DatabaseError>> {
        let word = |key: &str| arguments.get(key).and_then(Value::as_str);
        let sql = || word("sql").ok_or_else(|| DatabaseError::Said("`sql` is missing".to_owned()));
        Some(match name {
            "list_tables" => self.0.tables().await,
            "describe_table" => match word("table") {
                Some(table) => self.0.describe(word("schema"), table).await,
                None => Err(DatabaseError::Said("`table` is missing".to_owned())),
            },
            "query" | "execute" if name == "query" || self.0.may_write() => match sql() {
                Ok(sql) => self
                    .0
                    .run(sql, name == "execute")
                    .await
                    .map(|answer| answer.told()),
                Err(why) => Err(why),
            },
            _ => return None,
        })
    }
}

fn tool(name: &'static str, about: &'static str, schema: Value, annotations: ToolAnnotations) -> Tool {
    let schema = match schema {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    };
    Tool::new(name, about, Arc::new(schema)).with_annotations(annotations)
}

impl ServerHandler for Served {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("portcullis-mcp-sql", env!("CARGO_PKG_VERSION")))
            .with_instructions(
                "A database of which some tables, columns and rows can be used. Begin with list_tables and describe_table. \
                 A statement that is refused is told why: write it so that it keeps to what is available.",
            )
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        match self.called(&request.name, &arguments).await {
            Some(Ok(told)) => Ok(CallToolResult::structured(told).into()),
            Some(Err(why)) => Ok(CallToolResult::error(vec![ContentBlock::text(why.to_string())]).into()),
            None => Err(ErrorData::invalid_params("there is no such tool", None)),
        }
    }
}
