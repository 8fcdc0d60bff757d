-- The priority that a body asks for, 0 to 9; as `priorityOf` in messages.ts reads it.
local function priority_of(body)
  local ok, message = pcall(cjson.decode, body)
  local options = ok and type(message) == 'table' and message.options
  local priority = type(options) == 'table' and options.broker_priority
  if type(priority) ~= 'number' or priority ~= math.floor(priority) or priority < 0 then return 0 end
  return math.min(priority, 9)
end
