-- show: values as people read them.
local show = {}

local function key_text(k)
	return type(k) == "string" and k:find "^[%a_][%w_]*$" and k .. " = " or ("[%s] = "):format(type(k) == "string" and ("%q"):format(k) or tostring(k))
end

-- Inside a table: a long text by its beginning, a tensor by its shape, anything else of several lines by its first.
local function short(v)
	if type(v) == "string" then
		return ("%q"):format(#v > 200 and v:sub(1, 200):gsub("[\192-\255]?[\128-\191]*$", "") .. "..." or v)
	end
	local tensor, shape = pcall(function() return type(v) == "userdata" and v.shape end)
	if tensor and type(shape) == "table" then
		return ("tensor[%s]"):format(table.concat(shape, ","))
	end
	local s = tostring(v)
	return s:find "\n" and s:match "[^\n]*" .. " ..." or s
end

-- seen.left: how many values may still be told, so that no table fills the screen.
local function text_of(v, depth, seen)
	local meta = type(v) == "table" and getmetatable(v)
	if type(v) ~= "table" or (type(meta) == "table" and (meta.__tostring or meta.__name)) then
		return depth > 0 and short(v) or tostring(v)
	end
	if seen[v] or depth > 3 or seen.left <= 0 then
		return "{ ... }"
	end
	seen[v] = true
	local out, n = {}, #v
	for k, x in pairs(v) do
		local listed = math.type(k) == "integer" and k >= 1 and k <= n
		seen.left = seen.left - 1
		out[#out + 1] = (listed and "" or key_text(k)) .. text_of(x, depth + 1, seen)
		if #out == 40 or seen.left <= 0 then
			out[#out + 1] = "..."
			break
		end
	end
	seen[v] = nil
	return #out > 0 and "{ " .. table.concat(out, ", ") .. " }" or "{}"
end

--- A value as a text: tables with what is in them, the first 40 values of each, four levels deep, and at most 200
--- values in all. Tensors in a table are told by their shape. print and tostring say the same of tables. What a value's own tostring says is taken.
---@sig (value: any): string
---@example
---print(lathe.show { loss = { 4.2, 3.1 }, name = "small" })
function show.show(value)
	return text_of(value, 0, { left = 200 })
end

return show
