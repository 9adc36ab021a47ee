-- What is known of a meter. ARGV: its name. Returns requests under way, reserved, spent in hour, day and month.
if not known() then return {'stale'} end
local meter = read(next_text())
local ms = math.floor(now_us() / 1000)
return {'ok', whole(meter['in']), whole(meter.rs), whole(spent(meter, 1, ms)), whole(spent(meter, 2, ms)), whole(spent(meter, 3, ms))}
