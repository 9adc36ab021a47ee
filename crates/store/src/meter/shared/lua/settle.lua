-- What a request did cost, in the place of what was reserved for it. A lease is settled once.
-- ARGV: its name, the cost, the tokens, meters' names and token rates.
if not known() then return {'stale'} end
local id, cost, tokens = next_text(), next_number(), next_number()
local lease = lease_of(REPLICA, id)
if lease and lease[5] then return {'gone'} end
if not lease then
  -- It was taken for dead, and charged in full: what it did cost is written to the store all the same.
  for _ = 1, next_number() do
    owe(REPLICA, next_text(), cost)
    next_number()
  end
  return {'gone'}
end
local now = now_us()
local ms = math.floor(now / 1000)
unreserve(lease)
local charged = math.max(cost - lease[4], 0)
for _ = 1, next_number() do
  local name, tpm = next_text(), next_number()
  local meter = read(name)
  spend(meter, charged, ms)
  owe(REPLICA, name, cost)
  if tpm >= 0 then
    meter.tk = math.max(meter.tk, now) + math.ceil(tokens * MINUTE / math.max(tpm, 1))
    write(meter, 'tk')
  end
end
lease[5] = 1
redis.call('HSET', P .. ':l:' .. REPLICA, id, cmsgpack.pack(lease))
return {'ok'}
