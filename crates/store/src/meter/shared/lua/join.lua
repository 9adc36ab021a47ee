-- A replica says what it has under way; what is here of it under another connection is replaced.
-- ARGV: lease time in ms, whether it was here in this epoch, its peers, what it had not told when this epoch began (requests that
-- are settled: name, cost; batches: number, meters and costs), leases: name, reserved, meters, those with a budget.
-- What was not told is charged here to what an earlier run had on disk: a replica that died may have told it of costs that it never
-- wrote to the store, so neither is the whole truth, and the larger one counts (see Seed).
if redis.call('HGET', P .. ':epoch', 'id') ~= EPOCH then return {'stale'} end
local before = tonumber(redis.call('HGET', P .. ':r:' .. REPLICA, 'gen') or '0') or 0
if before >= tonumber(GENERATION) then return {'stale'} end
local now, lease_us = now_us(), next_number() * 1000
local returns = next_number() == 1
local reaped = returns and not redis.call('ZSCORE', P .. ':replicas', REPLICA)
local gather = redis.call('HGET', P .. ':epoch', 'phase') == 'gather'
for _, peer in ipairs(next_texts()) do
  if gather then redis.call('ZADD', P .. ':replicas', 'NX', whole(now + lease_us), peer) end
end
local ms, settled = math.floor(now / 1000), {}
for _ = 1, next_number() do
  local id, cost = next_text(), next_number()
  settled[id] = 1
  local lease = lease_of(REPLICA, id)
  if lease and not lease[5] then
    for _, name in ipairs(lease[2]) do
      spend(read(name), math.max(cost - lease[4], 0), ms)
    end
  end
end
local batch = tonumber(redis.call('HGET', P .. ':r:' .. REPLICA, 'batch') or '0') or 0
for _ = 1, next_number() do
  local number = next_number()
  for _ = 1, next_number() do
    local name, cost = next_text(), next_number()
    if number > batch then spend(read(name), cost, ms) end
  end
  redis.call('HSET', P .. ':r:' .. REPLICA, 'batch', whole(math.max(number, batch)))
end
if gather and not returns then
  -- It has written all to the store.
  redis.call('DEL', P .. ':u:' .. REPLICA)
end
local held = redis.call('HGETALL', P .. ':l:' .. REPLICA)
for at = 1, #held, 2 do
  leave(REPLICA, held[at], cmsgpack.unpack(held[at + 1]))
end
for _ = 1, next_number() do
  local id, reserved = next_text(), next_number()
  local meters = next_texts()
  local budgeted = next_texts()
  if reaped then
    -- It was taken for dead, and what it had reserved was charged.
    take(REPLICA, id, 0, meters, budgeted, reserved, settled[id])
  else
    take(REPLICA, id, reserved, meters, budgeted, 0, settled[id])
  end
end
redis.call('HSET', P .. ':r:' .. REPLICA, 'gen', GENERATION)
redis.call('ZADD', P .. ':replicas', whole(now + lease_us), REPLICA)
if gather then
  redis.call('SADD', P .. ':joined', REPLICA)
  redis.call('HINCRBY', P .. ':epoch', 'joins', 1)
  return {'gather'}
end
return {'open'}
