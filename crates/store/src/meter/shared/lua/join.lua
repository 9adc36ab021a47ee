-- A replica says what it has under way; what is here of it under another connection is replaced.
-- ARGV: lease time in ms, whether it was here in this epoch, its peers, leases: name, reserved, meters, those with a budget.
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
    take(REPLICA, id, 0, meters, budgeted, reserved)
  else
    take(REPLICA, id, reserved, meters, budgeted, 0)
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
