-- A request has ended: its places are free, and what is still reserved for it is not spent. ARGV: its name.
if not known() then return {'stale'} end
local id = next_text()
local lease = lease_of(REPLICA, id)
if not lease then return {'gone'} end
leave(REPLICA, id, lease)
return {'ok'}
