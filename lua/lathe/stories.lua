-- stories: plain English tales of a few sentences. Who, what and where stay the same through one story.
local grammar = require "lathe.grammar"
local words, plan = grammar.words, grammar.plan

local GIRLS = words "Mira Nora Ella Rosa Ida Vera Lena Ruth Clara June"
local BOYS = words "Otto Finn Hugo Karl Noah Emil Pablo Theo Jonas Sam"
local ANIMALS = words "fox raven goat hen mole hare toad crow pony beaver badger squirrel"
local THINGS = words "lantern kettle whistle basket ladder button wheel candle mirror bell blanket spoon"
local COLOURS = words "red green golden silver brown white dark shiny round tiny heavy blue"
local MOODS = words "happy hungry sleepy brave lonely curious proud quiet"
local PLACES = words("by the river|in the forest|on the hill|behind the barn|near the mill|under the bridge|at the market|in the attic", "|")
local WEATHER = words("the sun was shining|it was raining|snow was falling|the wind was strong|the fog was thick|the stars were out", "|")
local FOOD = words "bread soup honey apples cheese porridge plums nuts"

local OPENINGS = {
	"Once upon a time there was a {mood} {kin} named {hero}.",
	"Long ago, {hero} lived in a small house {place}.",
	"One morning {hero} went for a walk, and {weather}.",
	"{hero} was a {mood} {kin} who loved {food}.",
	"It was evening, {weather}, and {hero} could not sleep.",
}

local LOST = plan {
	OPENINGS,
	{ "{hero} had a {colour} {thing} and took it everywhere.", "The best thing {he} had was a {colour} {thing}.",
		"{He} had been given a {colour} {thing}." },
	{ "But one day the {thing} was gone.", "Then {hero} lost the {thing} {place}.", "In the night somebody took the {thing} away." },
	{ "{hero} looked under the bed and behind the door.", "{He} asked {friend}, but {friend} had not seen it.",
		"\"Where is my {thing}?\" {he} asked." },
	{ "Then a {animal} came {place}.", "A {animal} heard {him} and stopped.", "{place_up} {he} met a {mood} {animal}." },
	{ "\"I saw a {colour} {thing} {place},\" said the {animal}.", "\"Give me some {food} and I will help you,\" said the {animal}.",
		"The {animal} began to dig in the ground." },
	{ "They went there together, and there was the {thing}.", "Soon they found the {thing}, and it was still {colour}.",
		"The {thing} lay in the grass, wet but whole." },
	{ "{hero} was {mood} no more and gave the {animal} some {food}.", "From that day on {hero} and the {animal} were friends.",
		"{He} went home and slept well. The end." },
}

local GUEST = plan {
	OPENINGS,
	{ "There was a knock at the door.", "Somebody called from outside.", "{He} heard a small voice {place}." },
	{ "It was a {mood} {animal} with a {colour} {thing}.", "A {animal} stood there, cold and {mood}.",
		"{friend} stood there and held a {animal} in {his} arms." },
	{ "\"May I come in?\" it said. \"{weather_up}.\"", "\"I have not eaten since yesterday,\" said the {animal}.",
		"\"Please help us,\" said {friend}." },
	{ "{hero} made a fire and cooked {food}.", "{He} put a blanket by the stove and brought {food}.", "So {hero} shared the last of the {food}." },
	{ "They ate and told stories until it was late.", "The {animal} ate everything and fell asleep.",
		"{friend} played a song, and the {animal} danced." },
	{ "In the morning there was a {colour} {thing} on the table.", "When {hero} woke up, the {animal} had left a {thing}.",
		"The next day {weather}, and they all went out to play." },
	{ "{hero} never forgot that night.", "\"Come back soon,\" said {hero}.", "And they lived happily {place}." },
}

local TASK = plan {
	OPENINGS,
	{ "One day {friend} said: \"Let us build a boat.\"", "{hero} wanted to cross the river.",
		"{friend} told {him} about an island full of {food}." },
	{ "They had only a {thing} and a long rope.", "They took a {colour} {thing} and some {food} with them.",
		"{hero} brought the {thing}, and {friend} brought the {food}." },
	{ "First they worked {place}.", "All day they worked, although {weather}.", "A {animal} watched them and laughed." },
	{ "Then the rope broke.", "Then the {thing} fell into the water.", "But {friend} became {mood} and wanted to go home." },
	{ "\"Do not give up,\" said the {animal}.", "\"We can try again,\" said {hero}.", "{hero} thought about it for a long time." },
	{ "So they tied it with grass, and it held.", "The {animal} dived and brought the {thing} back.",
		"They sat down, ate {food}, and began again." },
	{ "At last it was done, and they were {mood}.", "In the end they reached the other side.", "That is how {hero} and {friend} learned to work together." },
}

local stories = {}

local function upper(s)
	return s:sub(1, 1):upper() .. s:sub(2)
end

function stories.text(rng)
	local girl = rng:chance(.5)
	local friend = rng:pick(girl and BOYS or GIRLS)
	local w = {
		hero = rng:pick(girl and GIRLS or BOYS), friend = friend, kin = girl and "girl" or "boy",
		he = girl and "she" or "he", He = girl and "She" or "He", his = girl and "her" or "his", him = girl and "her" or "him",
		animal = rng:pick(ANIMALS), thing = rng:pick(THINGS), colour = rng:pick(COLOURS), mood = rng:pick(MOODS),
		place = rng:pick(PLACES), weather = rng:pick(WEATHER), food = rng:pick(FOOD),
	}
	w.place_up, w.weather_up = upper(w.place), upper(w.weather)
	return upper(grammar.tell(rng:pick { LOST, GUEST, TASK }, w, rng, " ")) .. "\n"
end

return stories
