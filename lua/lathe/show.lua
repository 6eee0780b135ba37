-- show: values as people read them.
local show = {}

local function key_text(k)
	return type(k) == "string" and k:find "^[%a_][%w_]*$" and k .. " = " or ("[%s] = "):format(type(k) == "string" and ("%q"):format(k) or tostring(k))
end

local function text_of(v, depth, seen)
	if type(v) == "string" then
		return depth > 0 and ("%q"):format(v) or v
	end
	if type(v) ~= "table" or (getmetatable(v) and type(getmetatable(v)) == "table" and getmetatable(v).__tostring) then
		return tostring(v)
	end
	if seen[v] or depth > 3 then
		return "{ ... }"
	end
	seen[v] = true
	local out, n = {}, #v
	for k, x in pairs(v) do
		local listed = math.type(k) == "integer" and k >= 1 and k <= n
		out[#out + 1] = (listed and "" or key_text(k)) .. text_of(x, depth + 1, seen)
		if #out == 40 then
			out[#out + 1] = "..."
			break
		end
	end
	seen[v] = nil
	return #out > 0 and "{ " .. table.concat(out, ", ") .. " }" or "{}"
end

--- A value as a text: tables with what is in them, the first 40 values and four levels deep. What a value's own tostring says is taken.
---@sig (value: any): string
---@example
---print(lathe.show { loss = { 4.2, 3.1 }, name = "small" })
function show.show(value)
	return text_of(value, 0, {})
end

return show
