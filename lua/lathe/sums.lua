-- sums: lines of arithmetic with one- and two-digit numbers, `37 + 48 = 85`, several to a text.
local sums = {}

local function line(rng)
	local form = rng:int(1, 5)
	local a, b, c = rng:int(0, 99), rng:int(0, 99), rng:int(0, 9)
	local d, e = rng:int(0, 9), rng:int(0, 9)
	if form <= 2 then
		return a .. " + " .. b .. " = " .. a + b
	elseif form == 3 then
		return math.max(a, b) .. " - " .. math.min(a, b) .. " = " .. math.max(a, b) - math.min(a, b)
	elseif form == 4 then
		return d .. " * " .. e .. " = " .. d * e
	end
	return c .. " * " .. d .. " + " .. e .. " = " .. c * d + e
end

function sums.text(rng)
	local out = {}
	for k = 1, rng:int(6, 14) do
		out[k] = line(rng)
	end
	return table.concat(out, "\n") .. "\n"
end

return sums
