-- Sets money aside in every budget or in none. ARGV: the lease's name, the amount (-1 asks what is left), meters with budgets.
if not known() then return {'stale'} end
if redis.call('HGET', P .. ':epoch', 'phase') == 'gather' then return {'gather'} end
local id, worst, meters = next_text(), next_number(), next_meters()
local lease = lease_of(REPLICA, id)
if not lease then return {'stale'} end
local ms = math.floor(now_us() / 1000)
local least
for at, wanted in ipairs(meters) do
  local meter = read(wanted.name)
  for _, budget in ipairs(wanted.budgets) do
    local free = math.max(budget.amount - spent(meter, budget.period, ms), 0)
    local left = math.max(free - meter.rs, 0)
    least = math.min(least or left, left)
    if worst > left then
      local ends = end_of(budget.period, ms) - ms
      -- Many requests end within seconds.
      if worst <= left + meter.rs then ends = math.min(ends, 2000) end
      return {'short', at, whole(left), whole(ends)}
    end
  end
end
if worst < 0 then return {'left', whole(least or 0)} end
for _, name in ipairs(lease[3]) do
  redis.call('HINCRBY', P .. ':m:' .. name, 'rs', whole(worst))
end
lease[1] = lease[1] + worst
redis.call('HSET', P .. ':l:' .. REPLICA, id, cmsgpack.pack(lease))
return {'ok'}
