-- A replica goes and has nothing under way; what it still has is charged as a dead one's when its time is over.
if not known() then return {'stale'} end
if redis.call('HLEN', P .. ':l:' .. REPLICA) == 0 then
  redis.call('ZREM', P .. ':replicas', REPLICA)
  redis.call('DEL', P .. ':r:' .. REPLICA, P .. ':u:' .. REPLICA)
end
return {'ok'}
