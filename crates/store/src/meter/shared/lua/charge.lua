-- What requests did cost that this server never saw, once. ARGV: number of the batch, meters and costs.
if not known() then return {'stale'} end
local key, batch = P .. ':r:' .. REPLICA, next_number()
if (tonumber(redis.call('HGET', key, 'batch') or '0') or 0) >= batch then return {'ok'} end
local ms = math.floor(now_us() / 1000)
for _ = 1, next_number() do
  local name, cost = next_text(), next_number()
  spend(read(name), cost, ms)
  owe(REPLICA, name, cost)
end
redis.call('HSET', key, 'batch', whole(batch))
return {'ok'}
