-- What a request did cost, in the place of what was reserved for it. A lease is settled once.
-- ARGV: its name, the cost, the tokens, meters' names and token rates.
if not known() then return {'stale'} end
local id, cost, tokens = next_text(), next_number(), next_number()
local lease = lease_of(REPLICA, id)
if not lease or lease[5] then return {'gone'} end
local now = now_us()
local ms = math.floor(now / 1000)
unreserve(lease)
local charged = math.max(cost - lease[4], 0)
for _ = 1, next_number() do
  local meter, tpm = read(next_text()), next_number()
  spend(meter, charged, ms)
  if tpm >= 0 then
    meter.tk = math.max(meter.tk, now) + math.ceil(tokens * MINUTE / math.max(tpm, 1))
    write(meter, 'tk')
  end
end
lease[5] = 1
redis.call('HSET', P .. ':l:' .. REPLICA, id, cmsgpack.pack(lease))
return {'ok'}
