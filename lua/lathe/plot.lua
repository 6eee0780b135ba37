-- plot: pictures of numbers: lines, heat maps and bars, drawn as the screen draws them. plot:print() shows one on the terminal, plot:save(name)
-- writes it as .svg, .png, .txt, .csv or .json below --out.
local lathe = require "lathe"

local plot = {}
local Plot = {}
Plot.__index = Plot

function Plot.__tostring(p)
	local spec = p.spec
	local things = spec.lines or spec.rows or spec.items
	return ("plot: %s%s, %d %s; :print() shows it"):format(spec.kind, spec.title and (" %q"):format(spec.title) or "", #things,
		spec.lines and "lines" or spec.rows and "rows" or "bars")
end

-- A Series, a Tensor or a list, as a list.
local function list_of(x, what)
	if type(x) == "table" then
		return x
	end
	local ok, values = pcall(function() return x.values and x:values() end)
	if not (ok and values) then
		ok, values = pcall(function() return x:tolist() end)
	end
	if not ok or type(values) ~= "table" then
		lathe.fail(("%s: a list of numbers, a Series or a Tensor is needed, not a %s"):format(what, type(x)))
	end
	return values
end

local function check(options, known, what)
	options = options or {}
	if type(options) ~= "table" then
		lathe.fail(what .. ": options are a table")
	end
	for key in pairs(options) do
		if not known[key] then
			local names = {}
			for name in pairs(known) do
				names[#names + 1] = name
			end
			lathe.fail(("%s: there is no option %s; there are: %s"):format(what, tostring(key), table.concat(names, ", ")))
		end
	end
	return options
end

local function new(spec, options)
	for _, key in ipairs { "title", "facts", "x", "y", "unit", "log", "zero", "numbers", "diverging" } do
		spec[key] = options[key] or spec[key]
	end
	local foot = {}
	if spec.x then
		foot[1] = "x: " .. tostring(spec.x) .. (spec.range or "")
	end
	foot[#foot + 1] = spec.y and "y: " .. tostring(spec.y) or nil
	spec.foot, spec.range = foot[1] and table.concat(foot, "   ") or nil, nil
	for key, range in pairs { width = { 20, 400 }, height = { 4, 300 } } do
		local n = options[key]
		if n ~= nil and (math.type(n) ~= "integer" or n < range[1] or n > range[2]) then
			lathe.fail(("plot: %s must be a whole number from %d to %d"):format(key, range[1], range[2]))
		end
		spec[key] = n
	end
	return setmetatable({ spec = spec }, Plot)
end

local common = { title = true, facts = true, x = true, y = true, unit = true, log = true, width = true, height = true }
local function with(...)
	local known = {}
	for key in pairs(common) do
		known[key] = true
	end
	for _, key in ipairs { ... } do
		known[key] = true
	end
	return known
end
local heat_options, line_options, bars_options = with("numbers", "diverging", "labels"), with("names", "zero"), with("order")

--- A heat map. rows: a table of lists by name (in the order of the alphabet; for another order give a list of lists, and labels), or a list of lists, or a Tensor of two dimensions. Options:
--- title, facts (at the right of the title), x and y (what columns and rows are, told below the picture), labels of the rows in their order, unit,
--- log, numbers (the numbers themselves), diverging (colours to both sides of zero), width, height.
---@sig (rows: table, options: table?): Plot
---@example
---lathe.plot.heat({ stories = { 0.1, 0.7, 0.2 }, code = { 0.6, 0.1, 0.3 } }, { title = "share of tokens", x = "expert" }):print()
function plot.heat(rows, options)
	options = check(options, heat_options, "plot.heat")
	local spec = { kind = "heat", rows = {}, labels = {} }
	for key, row in pairs(list_of(rows, "plot.heat")) do
		spec.rows[#spec.rows + 1] = list_of(row, "plot.heat: row " .. tostring(key))
		spec.labels[#spec.labels + 1] = options.labels and options.labels[#spec.rows]
			or type(key) == "number" and ("%d"):format(key - 1) or tostring(key)
	end
	if #spec.rows == 0 then
		lathe.fail "plot.heat: there are no rows"
	end
	return new(spec, options)
end

-- The values of a line, and where on the axis they are: a Series knows its steps, { x = list, y = list } says it, of a list nothing is known.
local function points_of(line, what)
	if type(line) == "table" and line.y ~= nil then
		local xs, ys = list_of(line.x, what .. ": x"), list_of(line.y, what .. ": y")
		if #xs ~= #ys or #xs == 0 then
			lathe.fail(("%s: %d x values and %d y values"):format(what, #xs, #ys))
		end
		for i, x in ipairs(xs) do
			if type(x) ~= "number" or i > 1 and not (x > xs[i - 1]) then
				lathe.fail(what .. ": the x values must be numbers that grow")
			end
		end
		return ys, xs
	end
	local ok, steps = pcall(function() return type(line) ~= "table" and line.steps and line:steps() end)
	return list_of(line, what), ok and steps and #steps > 0 and steps or nil
end

local function evenly(xs, x0, dx)
	for i, x in ipairs(xs) do
		if math.abs(x - (x0 + (i - 1) * dx)) > 1e-9 * math.abs(dx) then
			return false
		end
	end
	return true
end

-- Values that are not evenly apart, put on an axis that is: each stands until the next. No value is invented.
local function held(ys, xs, x0, dx, n)
	local out, k = {}, 0
	for i = 1, n do
		local x = x0 + (i - 1) * dx + 1e-9 * dx
		while k < #xs and xs[k + 1] <= x do
			k = k + 1
		end
		out[i] = k > 0 and xs[#xs] >= x - 2e-9 * dx and ys[k] or 0 / 0
	end
	return out
end

-- One axis for all lines: as it is where all lie evenly and alike, else of at most 400 points.
local function put_axis(spec, all)
	local first = all[1].xs
	local x0, dx, last, alike = first[1], #first > 1 and first[2] - first[1] or 1, first[#first], true
	for _, xs in ipairs(all) do
		alike = alike and evenly(xs.xs, x0, dx)
	end
	if not alike then
		for _, line in ipairs(all) do
			x0, last = math.min(x0, line.xs[1]), math.max(last, line.xs[#line.xs])
		end
		local n = math.type(x0) == "integer" and math.type(last) == "integer" and last - x0 < 400 and last - x0 + 1 or 400
		dx = last > x0 and (last - x0) / (n - 1) or 1
		for i, line in ipairs(all) do
			spec.lines[i].values = held(line.ys, line.xs, x0, dx, n)
		end
	end
	spec.x0, spec.dx = x0, dx
end

--- Lines. lines: a Series, a list or { x = list, y = list } (the x values grow), or a table of them by name. Options: title, facts, names (in
--- which order), x and y (what the axes are, told below the picture), zero (true: the y axis begins at zero, else near the data), unit, log,
--- width, height.
---@sig (lines: any, options: table?): Plot
---@example
---lathe.plot.line({ bias = { 4.2, 3.1, 2.8 }, none = { 4.2, 3.4, 3.1 } }, { title = "loss" }):print()
---lathe.plot.line({ x = { 1, 10, 100 }, y = { 4.2, 3.1, 2.8 } }, { x = "step", y = "loss, nat" }):print()
function plot.line(lines, options)
	options = check(options, line_options, "plot.line")
	local spec = { kind = "line", lines = {} }
	local many = type(lines) == "table" and type(lines[1]) ~= "number" and lines.y == nil
	local all = {}
	local function add(name, line)
		name = tostring(name)
		local ys, xs = points_of(line, name == "" and "plot.line" or "plot.line: " .. name)
		if xs and type(line) ~= "table" then
			spec.x = "step"
		end
		if not xs then
			xs = {}
			for i = 1, #ys do
				xs[i] = i
			end
		end
		if #xs > 0 then
			all[#all + 1] = { ys = ys, xs = xs }
			spec.lines[#spec.lines + 1] = { name = name, values = ys, unit = options.unit }
		end
	end
	if not many then
		add(options.title or "", lines)
	elseif options.names then
		for _, name in ipairs(options.names) do
			add(name, lines[name])
		end
	else
		for name, line in pairs(lines) do
			add(name, line)
		end
	end
	if #spec.lines == 0 then
		lathe.fail "plot.line: there are no lines"
	end
	put_axis(spec, all)
	local to = spec.x0
	for _, line in ipairs(spec.lines) do
		to = math.max(to, spec.x0 + (#line.values - 1) * spec.dx)
	end
	spec.range = (", %.6g to %.6g"):format(spec.x0, to)
	return new(spec, options)
end

local function number_text(v)
	if type(v) ~= "number" or v ~= v then
		return "-"
	end
	if math.type(v) == "integer" or v == math.floor(v) and math.abs(v) < 1e9 then
		return ("%d"):format(v)
	end
	return (math.abs(v) >= 1e5 or math.abs(v) < 1e-3) and ("%.3g"):format(v) or ("%.4g"):format(v)
end
plot.number = number_text -- for lathe.study

--- Bars. values: numbers by name, or a list of { name, value, note }. Options: title, facts, order ("value": the longest first; else that
--- of the names or of the list), x and y (told below), unit, log, width, height.
---@sig (values: table, options: table?): Plot
---@example
---lathe.plot.bars({ mla = 288, mha = 2048, mqa = 256 }, { title = "cache", unit = "B a token", order = "value" }):print()
function plot.bars(values, options)
	options = check(options, bars_options, "plot.bars")
	local spec = { kind = "bars", items = {} }
	for key, value in pairs(list_of(values, "plot.bars")) do
		local row = type(value) == "table" and value or { type(key) == "number" and key - 1 or key, value }
		if row[1] == nil or type(row[2]) ~= "number" then
			lathe.fail("plot.bars: " .. tostring(key) .. ": a number is needed, or { name, value, note }")
		end
		spec.items[#spec.items + 1] = { label = tostring(row[1]), value = row[2], note = row[3],
			text = number_text(row[2]) .. (options.unit and " " .. options.unit or "") }
	end
	if #spec.items == 0 then
		lathe.fail "plot.bars: there are no bars"
	end
	if options.order == "value" then
		table.sort(spec.items, function(a, b)
			if a.value ~= b.value then
				return (a.value or 0) > (b.value or 0)
			end
			return a.label < b.label
		end)
	end
	return new(spec, options)
end

-- --- as data ---

local function quoted(s)
	s = tostring(s)
	return s:find '[,"\r\n]' and '"' .. s:gsub('"', '""') .. '"' or s
end
plot.quoted = quoted -- for lathe.study

local function csv_number(v)
	return type(v) == "number" and v == v and ("%.9g"):format(v) or ""
end

local csv = {}

function csv.heat(spec, out)
	local cols = 0
	for _, row in ipairs(spec.rows) do
		cols = math.max(cols, #row)
	end
	local head = { quoted(spec.y or "row") }
	for c = 1, cols do
		head[c + 1] = ("%d"):format(c - 1)
	end
	out[1] = table.concat(head, ",")
	for r, row in ipairs(spec.rows) do
		local line = { quoted(spec.labels[r]) }
		for c = 1, cols do
			line[c + 1] = csv_number(row[c])
		end
		out[r + 1] = table.concat(line, ",")
	end
end

function csv.line(spec, out)
	local head, points = { quoted(spec.x or "x") }, 0
	for i, line in ipairs(spec.lines) do
		head[i + 1], points = quoted(line.name), math.max(points, #line.values)
	end
	out[1] = table.concat(head, ",")
	for p = 1, points do
		local row = { ("%.9g"):format(spec.x0 + (p - 1) * spec.dx) }
		for i, line in ipairs(spec.lines) do
			row[i + 1] = csv_number(line.values[p])
		end
		out[p + 1] = table.concat(row, ",")
	end
end

function csv.bars(spec, out)
	out[1] = "name,value"
	for i, item in ipairs(spec.items) do
		out[i + 1] = quoted(item.label) .. "," .. csv_number(item.value)
	end
end

--- The plot as a text of one format: "txt", "svg", "png", "csv" or "json". width and height are in characters.
---@sig (format: string): string
---@example
---print(lathe.plot.bars({ a = 1, b = 2 }):text "csv")
function Plot:text(format)
	local spec = self.spec
	if format == "csv" then
		local out = {}
		csv[spec.kind](spec, out)
		return table.concat(out, "\n") .. "\n"
	elseif format == "json" then
		return lathe.json(spec) .. "\n"
	elseif format == "txt" or format == "svg" or format == "png" then
		return lathe.draw(spec, format == "txt" and "text" or format, spec.width, spec.height)
	end
	lathe.fail(("plot: no format %s; there are txt, svg, png, csv and json"):format(tostring(format)))
end

--- Writes the plot below --out; the name's ending says as what: .svg, .png (where built with cairo), .txt, .csv or .json.
---@sig (name: string): string
---@example
---lathe.plot.line({ 3, 2, 1.5 }, { title = "loss" }):save "loss.csv"
function Plot:save(name)
	local format = type(name) == "string" and name:match "%.(%w+)$"
	if not format then
		lathe.fail "plot:save: a name with an ending is needed: .svg, .png, .txt, .csv or .json"
	end
	return lathe.write(name, self:text(format))
end

--- Shows the plot on standard output, in the terminal's colours, as text elsewhere.
---@sig ()
---@example
---lathe.plot.bars({ a = 1, b = 2 }):print()
function Plot:print()
	lathe.draw(self.spec, "screen", self.spec.width, self.spec.height)
end

return plot
