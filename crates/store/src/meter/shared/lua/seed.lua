-- What the store knows was spent. What is here stays where it is more. ARGV: meters, periods (1 to 3) and costs.
if not known() then return {'stale'} end
if redis.call('HGET', P .. ':epoch', 'phase') ~= 'gather' then return {'open'} end
local ms = math.floor(now_us() / 1000)
for _ = 1, next_number() do
  local meter, period, cost = read(next_text()), next_number(), next_number()
  local known_cost = spent(meter, period, ms)
  meter['a' .. period], meter['s' .. period] = start_of(period, ms), math.max(known_cost, cost)
  write(meter, 'a' .. period, 's' .. period)
end
return {'ok'}
