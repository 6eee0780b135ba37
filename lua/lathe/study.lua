-- study: an experiment's table: rows that were measured, with the mean and spread over several seeds, beside figures that others reported,
-- labelled as quoted; and its curves.
--
--     local s = lathe.study "loss-free balance"
--     s:columns { "rule", "loss", "MaxVio" }
--     s:seeds(3, function(seed) ... s:row { "bias", run.loss:mean(50), run.maxvio:mean(50) } ... end)
--     s:quote("Wang et al. 2024, table 2", { "bias", nil, 0.04 })
--     s:print()  s:save "balance"
local lathe = require "lathe"
local plot = require "lathe.plot"

local study = {}
local Study = {}
Study.__index = Study

--- Begins a study. lathe.study is called like a function: lathe.study "name".
---@sig (name: string): Study
---@example
---local s = lathe.study.new "a small one"
---s:columns { "size", "loss" }:row { "32", 3.2 }:row { "64", 2.9 }:print()
function study.new(name)
	if type(name) ~= "string" then
		lathe.fail "study: a name is needed"
	end
	return setmetatable({ name = name, heads = {}, rows = {}, quotes = {}, notes = {}, curves = {}, order = {}, digits = {} }, Study)
end

--- The heads of the columns; the first column names the rows. A head may be { "loss", digits = 3 }.
---@sig (heads: table): Study
---@example
---lathe.study.new("x"):columns { "rule", { "loss", digits = 4 } }:row { "bias", 2.5 }:print()
function Study:columns(heads)
	for i, head in ipairs(heads) do
		self.heads[i] = type(head) == "table" and head[1] or head
		self.digits[i] = type(head) == "table" and head.digits or nil
	end
	return self
end

-- The row of this name: several measurements of one name are its seeds.
local function row_of(self, name)
	for _, row in ipairs(self.rows) do
		if row.name == name then
			return row
		end
	end
	local row = { name = name, measured = {} }
	self.rows[#self.rows + 1] = row
	return row
end

--- Adds a measurement: the row's name, then its values. A row that is measured again (another seed) is shown as mean and spread.
---@sig (values: table): Study
---@example
---lathe.study.new("x"):columns { "rule", "loss" }:row { "bias", 2.5 }:row { "bias", 2.7 }:print()
function Study:row(values)
	if type(values) ~= "table" or values[1] == nil then
		lathe.fail "study:row: a list is needed, the row's name first"
	end
	if #values > #self.heads then
		lathe.fail(("study:row: %d values for %d columns; study:columns names them first"):format(#values, #self.heads))
	end
	local row, copy = row_of(self, tostring(values[1])), {}
	for i = 2, #self.heads do
		copy[i] = values[i]
	end
	row.measured[#row.measured + 1] = copy
	return self
end

--- Adds a row that others reported: where it stands, and its values as in row (nil where there is none). It is marked as quoted, and is never
--- mixed with what was measured here.
---@sig (source: string, values: table): Study
---@example
---lathe.study.new("x"):columns { "model", "cache" }:row { "ours", 0.3 }:quote("V2 paper, table 1", { "DeepSeek-V2", 0.4 }):print()
function Study:quote(source, values)
	self.quotes[#self.quotes + 1] = { source = source, values = values }
	return self
end

--- Adds a sentence below the table: what was seen, and what this scale does not show.
---@sig (text: string): Study
---@example
---lathe.study.new("x"):columns { "a" }:row { "b" }:note("One seed: a tendency, not a proof."):print()
function Study:note(text)
	self.notes[#self.notes + 1] = text
	return self
end

--- Keeps a curve, a Series or a list, for study:plot and study:save.
---@sig (name: string, series: any): Study
---@example
---lathe.study.new("x"):curve("bias", { 4, 3, 2 }):plot():print()
function Study:curve(name, series)
	if not self.curves[name] then
		self.order[#self.order + 1] = name
	end
	self.curves[name] = series
	return self
end

--- Calls f(seed) for n seeds, from --seed (else 1) on; one when the script is run with --quick.
---@sig (n: integer, f: function): Study
---@example
---lathe.study.new("x"):columns { "a", "b" }:seeds(3, function(seed) print(seed) end)
function Study:seeds(n, f)
	local first = lathe.seed > 0 and lathe.seed or 1
	for seed = first, first + (lathe.quick and 1 or n) - 1 do
		f(seed)
	end
	return self
end

-- Mean and standard deviation of column i of a row's measurements; for what is not a number the first.
local function column(row, i)
	local sum, n, first = 0, 0, nil
	for _, m in ipairs(row.measured) do
		first = first == nil and m[i] or first
		if type(m[i]) == "number" then
			sum, n = sum + m[i], n + 1
		end
	end
	if n == 0 then
		return first
	end
	local mean, square = sum / n, 0
	for _, m in ipairs(row.measured) do
		square = square + (type(m[i]) == "number" and (m[i] - mean) ^ 2 or 0)
	end
	return n == 1 and first or mean, n > 1 and math.sqrt(square / (n - 1)) or nil, n
end

local function shown(v, digits)
	if v == nil then
		return "-"
	elseif type(v) ~= "number" then
		return tostring(v)
	elseif digits then
		return ("%." .. digits .. "f"):format(v)
	end
	return plot.number(v)
end

-- The table as lists of texts: heads first, then what was measured, then what is quoted.
local function cells(self)
	local out = { {} }
	for i, head in ipairs(self.heads) do
		out[1][i] = tostring(head)
	end
	for _, row in ipairs(self.rows) do
		local line = { row.name }
		for i = 2, #self.heads do
			local mean, spread = column(row, i)
			line[i] = shown(mean, self.digits[i]) .. (spread and " ± " .. shown(spread, self.digits[i]) or "")
		end
		out[#out + 1] = line
	end
	for _, quote in ipairs(self.quotes) do
		local line = { ("quoted: %s"):format(quote.values[1]) }
		for i = 2, #self.heads do
			line[i] = shown(quote.values[i], self.digits[i])
		end
		out[#out + 1] = line
	end
	return out
end

local function padded(s, width, left)
	local blanks = (" "):rep(width - lathe.columns(s))
	return left and s .. blanks or blanks .. s
end

local function widths(lines)
	local w = {}
	for _, line in ipairs(lines) do
		for i, s in ipairs(line) do
			w[i] = math.max(w[i] or 0, lathe.columns(s))
		end
	end
	return w
end

--- The table as a text of one format: "txt", "md", "csv" (a line for every measurement and quotation) or "json" (with the curves).
---@sig (format: string?): string
---@example
---print(lathe.study.new("x"):columns { "rule", "loss" }:row { "bias", 2.5 }:text "csv")
function Study:text(format)
	format = format or "txt"
	local make = study.formats[format] or lathe.fail(("study: no format %s; there are txt, md, csv and json"):format(tostring(format)))
	return make(self)
end

study.formats = {}

function study.formats.txt(self)
	local lines, out = #self.heads > 0 and cells(self) or {}, { self.name }
	local w = widths(lines)
	for k, line in ipairs(lines) do
		for i, s in ipairs(line) do
			line[i] = padded(s, w[i], i == 1)
		end
		out[#out + 1] = (table.concat(line, "  "):gsub("%s+$", ""))
		if k == 1 then
			local rule = {}
			for i = 1, #line do
				rule[i] = ("-"):rep(w[i])
			end
			out[#out + 1] = table.concat(rule, "  ")
		end
	end
	for _, quote in ipairs(self.quotes) do
		out[#out + 1] = ("%s: quoted from %s, not measured here"):format(quote.values[1], quote.source)
	end
	for _, note in ipairs(self.notes) do
		out[#out + 1] = note
	end
	return table.concat(out, "\n") .. "\n"
end

function study.formats.md(self)
	local out = { "# " .. self.name, "" }
	for k, line in ipairs(cells(self)) do
		out[#out + 1] = "| " .. table.concat(line, " | ") .. " |"
		if k == 1 then
			out[#out + 1] = "|" .. (" --- |"):rep(#line)
		end
	end
	out[#out + 1] = ""
	for _, quote in ipairs(self.quotes) do
		out[#out + 1] = ("- %s: quoted from %s, not measured here"):format(quote.values[1], quote.source)
	end
	for _, note in ipairs(self.notes) do
		out[#out + 1] = "- " .. note
	end
	return table.concat(out, "\n") .. "\n"
end

function study.formats.csv(self)
	local head = { "kind" }
	for _, h in ipairs(self.heads) do
		head[#head + 1] = plot.quoted(h)
	end
	local out = { table.concat(head, ",") }
	local function put(kind, name, values)
		local line = { kind, plot.quoted(name) }
		for i = 2, #self.heads do
			line[#line + 1] = values[i] == nil and "" or plot.quoted(values[i])
		end
		out[#out + 1] = table.concat(line, ",")
	end
	for _, row in ipairs(self.rows) do
		for _, m in ipairs(row.measured) do
			put("measured", row.name, m)
		end
	end
	for _, quote in ipairs(self.quotes) do
		put("quoted", quote.values[1], quote.values)
	end
	return table.concat(out, "\n") .. "\n"
end

local function by_head(self, values)
	local out = {}
	for i = 2, #self.heads do
		out[self.heads[i]] = values[i]
	end
	return out
end

function study.formats.json(self)
	local out = { name = self.name, columns = self.heads, rows = {}, quoted = {}, notes = self.notes, curves = self.curves }
	for _, row in ipairs(self.rows) do
		local entry = { name = row.name, measured = {}, mean = {}, spread = {} }
		for k, m in ipairs(row.measured) do
			entry.measured[k] = by_head(self, m)
		end
		for i = 2, #self.heads do
			entry.mean[self.heads[i]], entry.spread[self.heads[i]] = column(row, i)
		end
		out.rows[#out.rows + 1] = entry
	end
	for _, quote in ipairs(self.quotes) do
		out.quoted[#out.quoted + 1] = { name = tostring(quote.values[1]), source = quote.source, values = by_head(self, quote.values) }
	end
	return lathe.json(out) .. "\n"
end

--- The mean of a row's column over its seeds, the spread (standard deviation; nil for one seed), and how many there are.
---@sig (row: string, head: string): number?, number?, integer?
---@example
---local s = lathe.study.new("x"):columns { "rule", "loss" }:row { "bias", 2 }:row { "bias", 4 }
---print(s:mean("bias", "loss"))
function Study:mean(name, head)
	for i, h in ipairs(self.heads) do
		if h == head then
			return column(row_of(self, name), i)
		end
	end
	lathe.fail(("study:mean: no column %s"):format(tostring(head)))
end

--- Shows the table.
---@sig ()
---@example
---lathe.study.new("x"):columns { "rule", "loss" }:row { "bias", 2.5 }:print()
function Study:print()
	io.write(self:text "txt")
end

--- The curves as a plot (options as in plot.line).
---@sig (options: table?): Plot
---@example
---lathe.study.new("x"):curve("a", { 3, 2 }):curve("b", { 3, 1 }):plot { title = "loss" }:print()
function Study:plot(options)
	local given = { names = self.order, title = self.name }
	for key, value in pairs(options or {}) do
		given[key] = value
	end
	return plot.line(self.curves, given)
end

--- Writes NAME.txt, NAME.csv and NAME.json below --out, and the curves, when there are any, as NAME.svg (as NAME-curves.txt where lathe was
--- built without cairo). Returns the study.
---@sig (name: string): Study
---@example
---lathe.study.new("x"):columns { "rule", "loss" }:row { "bias", 2.5 }:curve("bias", { 3, 2.5 }):save "balance"
function Study:save(name)
	for _, format in ipairs { "txt", "csv", "json" } do
		lathe.write(name .. "." .. format, self:text(format))
	end
	if #self.order > 0 then
		local curves = self:plot()
		if not pcall(curves.save, curves, name .. ".svg") then
			curves:save(name .. "-curves.txt")
		end
	end
	return self
end

return setmetatable(study, { __call = function(_, name) return study.new(name) end })
