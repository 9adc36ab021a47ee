-- What a replica has written to the store, once. ARGV: number of the batch, meters and costs.
if not known() then return {'stale'} end
local key, batch = P .. ':r:' .. REPLICA, next_number()
if (tonumber(redis.call('HGET', key, 'saved') or '0') or 0) >= batch then return {'ok'} end
for _ = 1, next_number() do
  local name = next_text()
  owe(REPLICA, name, -next_number())
end
redis.call('HSET', key, 'saved', whole(batch))
return {'ok'}
