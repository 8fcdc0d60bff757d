-- The priority in a body, 0 to 9; the same as `priorityOf` in sending/enqueue-records.ts.
local function priority_of(body)
  local ok, message = pcall(cjson.decode, body)
  local options = ok and type(message) == 'table' and message.options
  local priority = type(options) == 'table' and options.broker_priority
  if type(priority) ~= 'number' or priority ~= math.floor(priority) or priority < 0 then return 0 end
  return math.min(priority, 9)
end
