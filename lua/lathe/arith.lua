-- arith: addition, multiplication and chains modulo 10, with their steps written digit by digit, units first.
local arith = {}

local function join(list)
	return table.concat(list, ",")
end

-- Digit k of n, 0 for the units.
local function digit(n, k)
	return n // math.tointeger(10 ^ k) % 10
end

-- "7*6=42,4*6+4=28>282": n times one digit d; `+c` is the carry, left out when 0.
local function times_steps(n, d)
	local step, carry = {}, 0
	for k = 0, #tostring(n) - 1 do
		local value = digit(n, k) * d + carry
		step[#step + 1] = digit(n, k) .. "*" .. d .. (carry > 0 and "+" .. carry or "") .. "=" .. value
		carry = value // 10
	end
	return join(step) .. ">" .. n * d
end

-- "0+4=4,8+2=10,9+8+1=18,4+2+1=7>7804": as many digits as the longer number has, the shorter filled up with 0.
local function plus_steps(a, b)
	local step, carry = {}, 0
	for k = 0, math.max(#tostring(a), #tostring(b)) - 1 do
		local value = digit(a, k) + digit(b, k) + carry
		step[#step + 1] = digit(a, k) .. "+" .. digit(b, k) .. (carry > 0 and "+" .. carry or "") .. "=" .. value
		carry = value // 10
	end
	return join(step) .. ">" .. a + b
end

-- The two partial products of a * b: units part, tens part (not yet times 10).
local function parts(p)
	return p.a * (p.b % 10), p.a * (p.b // 10)
end

local function mult_fine(p)
	if p.b < 10 then
		return times_steps(p.a, p.b)
	end
	local units, tens = parts(p)
	local first = p.b % 10 == 0 and "0" or times_steps(p.a, p.b % 10)
	return first .. ";" .. times_steps(p.a, p.b // 10) .. ";" .. plus_steps(units, tens * 10)
end

local function mult_body(p, style)
	if style == "fine" then
		return mult_fine(p)
	end
	if style == "coarse" and p.b >= 10 then
		local units, tens = parts(p)
		return units .. "+" .. tens * 10
	end
	return ""
end

-- Level 1: two digits by one; level 2: two by two; level 3: three by two.
local mult = {
	name = "mult", first = 1, levels = 3, max_new = 120,
	styles = { direct = .4, coarse = .15, fine = .45 },
	body = mult_body,
	make = function(rng, level)
		local a = level == 3 and rng:int(100, 999) or rng:int(10, 99)
		local b = level == 1 and rng:int(2, 9) or rng:int(10, 99)
		return { prompt = "m" .. a .. "*" .. b .. "=", answer = tostring(a * b), a = a, b = b }
	end,
}

-- The level is the number of digits.
local add = {
	name = "add", first = 2, levels = 6, max_new = 80,
	styles = { direct = .4, fine = .6 },
	body = function(p, style)
		return style == "fine" and plus_steps(p.a, p.b) or ""
	end,
	make = function(rng, level)
		local lo = math.tointeger(10 ^ (level - 1))
		local a, b = rng:int(lo, 10 * lo - 1), rng:int(lo, 10 * lo - 1)
		return { prompt = "a" .. a .. "+" .. b .. "=", answer = tostring(a + b), a = a, b = b }
	end,
}

local LETTERS = "abcdefgh"

-- c4a+3b*6c*4= : start 4, then + 3, * 6, * 4, each modulo 10. The level is the number of operations.
local function chain_make(rng, level)
	local start = rng:int(2, 9)
	local text, step, value = { "c" .. start }, {}, start
	for k = 1, level do
		local op, n, letter = rng:pick "+*", rng:int(2, 9), LETTERS:sub(k, k)
		local result = (op == "+" and value + n or value * n) % 10
		text[k + 1] = letter .. op .. n
		step[k] = letter .. value .. op .. n .. "=" .. result
		value = result
	end
	return { prompt = table.concat(text) .. "=", answer = tostring(value), steps = table.concat(step) }
end

-- guess: the answer at once. check: a first guess, right one time in three, the word `wait`, and all steps. fine: the steps.
local function chain_body(p, style, rng)
	if style == "guess" then
		return p.answer
	elseif style == "fine" then
		return p.steps
	end
	local right = tonumber(p.answer)
	local guess = rng:chance(1 / 3) and right or (right + rng:int(1, 9)) % 10
	return guess .. "wait" .. p.steps
end

local chain = {
	name = "chain", first = 1, levels = 8, max_new = 64,
	styles = { guess = .6, check = .4, fine = 0 },
	make = chain_make, body = chain_body,
}

arith.kinds = { mult, add, chain }
return arith
