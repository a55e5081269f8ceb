-- Counts what requests claim of limits, atomically. See counters.go.
--
-- ARGV: take | give, prefix, replica, …
--   take: then of each claim: resource, name, limit, amount, seed (what was spent by the database's word, or "")
--         → {refused, wait, spent, second, replicas, used of each claim …} or {-2, index of a claim that needs a seed}
--   give: the second of the taking, then of each claim: resource, name, amount, used
-- Resources: r requests, t tokens (hash: second → count), p requests under way (hash: replica → count),
-- m money (hash: spent, and replica → what its requests hold). Indices count from 0.
local now = tonumber(redis.call('TIME')[1])
local prefix, self = ARGV[2], ARGV[3]
local window = 61

local function sum(list)
  local n = 0
  for _, v in ipairs(list) do n = n + v end
  return n
end

-- living forgets what replicas that are gone have left behind, and returns what the others hold.
local function living(key)
  local all, held = redis.call('HGETALL', key), 0
  for i = 1, #all, 2 do
    local who = all[i]
    if who ~= 'spent' then
      if who ~= self and (tonumber(redis.call('ZSCORE', prefix .. ':replicas', who)) or 0) < now - 10 then
        redis.call('HDEL', key, who)
      else
        held = held + tonumber(all[i + 1])
      end
    end
  end
  return held
end

-- recent forgets seconds that are over, and returns what was used since, with the seconds.
local function recent(key)
  local all, seconds, used = redis.call('HGETALL', key), {}, 0
  for i = 1, #all, 2 do
    local second, n = tonumber(all[i]), tonumber(all[i + 1])
    if second <= now - window then
      redis.call('HDEL', key, all[i])
    else
      seconds[#seconds + 1] = {second, n}
      used = used + n
    end
  end
  return used, seconds
end

if ARGV[1] == 'give' then
  local at = tonumber(ARGV[4])
  for i = 5, #ARGV, 4 do
    local resource, amount, used = ARGV[i], ARGV[i + 2], ARGV[i + 3]
    local key = prefix .. ':' .. resource .. ':' .. ARGV[i + 1]
    if resource == 't' then
      if at > now - window then
        redis.call('HINCRBY', key, ARGV[4], tonumber(used) - tonumber(amount))
        redis.call('EXPIRE', key, 120)
      end
    elseif resource == 'p' then
      if tonumber(redis.call('HINCRBY', key, self, -1)) <= 0 then redis.call('HDEL', key, self) end
    elseif resource == 'm' then
      if amount ~= '0' then redis.call('HINCRBY', key, self, '-' .. amount) end -- -0 is no number to it
      redis.call('HINCRBY', key, 'spent', used)
      redis.call('EXPIRE', key, 3456000)
    end
  end
  return {}
end

redis.call('ZADD', prefix .. ':replicas', now, self)
local claims = {}
local out = {-1, 0, 0, now, redis.call('ZCOUNT', prefix .. ':replicas', now - 10, '+inf')}
for i = 4, #ARGV, 5 do
  local c = {resource = ARGV[i], key = prefix .. ':' .. ARGV[i] .. ':' .. ARGV[i + 1], limit = tonumber(ARGV[i + 2]), amount = ARGV[i + 3]}
  local n, seconds, spent, used = #claims, nil, 0, 0
  if c.resource == 'm' then
    local known = redis.call('HGET', c.key, 'spent')
    if not known then
      if ARGV[i + 4] == '' then return {-2, n} end
      redis.call('HSET', c.key, 'spent', ARGV[i + 4])
      redis.call('EXPIRE', c.key, 3456000)
      known = ARGV[i + 4]
    end
    spent, used = tonumber(known), tonumber(known) + living(c.key)
    out[6 + n] = known
  elseif c.resource == 'p' then
    used = living(c.key)
    out[6 + n] = tostring(used + 1)
  else
    used, seconds = recent(c.key)
    out[6 + n] = string.format('%.0f', used + tonumber(c.amount))
  end
  if used >= c.limit then
    out[1] = n
    if spent >= c.limit then out[3] = 1 end
    if seconds then
      table.sort(seconds, function(a, b) return a[1] < b[1] end)
      local left = used
      out[2] = window
      for _, s in ipairs(seconds) do
        left = left - s[2]
        if left < c.limit then
          out[2] = s[1] + window - now
          break
        end
      end
    end
    return out
  end
  claims[n + 1] = c
end
for _, c in ipairs(claims) do
  if c.resource == 'm' or c.resource == 'p' then
    redis.call('HINCRBY', c.key, self, c.amount)
    redis.call('EXPIRE', c.key, 3456000)
  else
    redis.call('HINCRBY', c.key, now, c.amount)
    redis.call('EXPIRE', c.key, 120)
  end
end
return out
