/* test_model.c - models from Lua: text, values watched, hooks, interventions, comparison, generation, and gradients against differences. */
#include "tests/unit.h"
#include "script/lua_tensor.h"
#include <stdio.h>
#include <string.h>

static Lab *lab_make(void)
{
	Err e = { 0 };
	LabOptions o = { .threads = 1, .seed = 1, .memory_limit = 512 << 20 };
	Lab *lab = lab_new(&o, &e);
	if (!lab)
		fail_msg("%s", e.text);
	lua_State *L = lab->room.L;
	api_open(L);
	lua_setglobal(L, "lathe");
	lua_pushstring(L, unit_src("data/tiny"));
	lua_setglobal(L, "TINY");
	lua_pushstring(L, unit_src("tests/data/models/v3"));
	lua_setglobal(L, "V3");
	lua_pushstring(L, unit_src("tests/data/models/v3-mtp2"));
	lua_setglobal(L, "MTP2");
	lua_pushstring(L, unit_src("data/domains"));
	lua_setglobal(L, "DOMAINS");
	return lab;
}

static void run(Lab *lab, const char *text)
{
	Err e = { 0 };
	if (!lab_text(lab, text, strlen(text), "@test.lua", &e))
		fail_msg("%s", e.text);
}

static void fails(Lab *lab, const char *text, const char *words)
{
	Err e = { 0 };
	if (lab_text(lab, text, strlen(text), "@test.lua", &e))
		fail_msg("no error: %s", text);
	if (!strstr(e.text, words) || strncmp(e.text, "test.lua:", 9) != 0)
		fail_msg("\"%s\" does not say \"%s\"", e.text, words);
}

#define LUA(name, text) \
	TEST(name) \
	{ \
		Lab *lab = lab_make(); \
		run(lab, text); \
		lua_gc(lab->room.L, LUA_GCCOLLECT); \
		lua_gc(lab->room.L, LUA_GCCOLLECT); \
		lab_free(lab); \
	}

LUA(a_model_tells_what_it_is,
	"local m = lathe.open(TINY)\n"
	"assert(m.config.n_routed_experts == 16 and m.config.model_type == 'deepseek_v3' and m.layers == 4)\n"
	"assert(m:decode(m:encode 'Once upon') == 'Once upon' and table.concat(m:tokens 'Once upon') == 'Once upon')\n"
	"assert(m:kv_bytes_per_token 'bf16' == 2 * (m.config.kv_lora_rank + m.config.qk_rope_head_dim) * m.layers)\n"
	"assert(m:tensor('model.norm.weight').shape[1] == m.config.hidden_size and #m:names() > 20)\n"
	"assert(tostring(m):find('4 layers'))\n")

LUA(a_text_is_read_with_values_watched,
	"local m = lathe.open(TINY)\n"
	"local r = m:run('Once upon a time there was', { watch = { 'layers.3.moe.topk', 'layers.*.resid_post' } })\n"
	"local T = #r.ids\n"
	"assert(r.logits.shape[1] == T and r.logits.shape[2] == 672 and r['layers.3.moe.topk'].dtype == 'i32')\n"
	"assert(r['layers.0.resid_post'].shape[2] == m.config.hidden_size and r['layers.3.resid_post'].shape[1] == T)\n"
	"assert(math.abs(r['layers.3.moe.topk']:histogram(16):normalise():sum() - 1) < 1e-6)\n"
	"local s = 0 for i = 1, T - 1 do s = s - r.logits:at(i - 1):logprob(r.ids[i + 1]) end\n"
	"assert(math.abs(s / (T - 1) - r.loss) < 1e-4 and math.abs(r.ppl - math.exp(r.loss)) < 1e-6)\n"
	"assert(math.abs(r.logprobs[1] - r.logits:at(0):logprob(r.ids[2])) < 1e-4 and r.logprobs[0] ~= r.logprobs[0])\n"
	"assert(m:run('Once', { logits = false }).logits == nil)\n")

LUA(a_text_longer_than_the_context_is_read_in_pieces,
	"local m = lathe.open(V3) local ids = {} for i = 1, 1300 do ids[i] = i * 37 % 300 + 3 end\n"
	"local r = m:run(ids, { watch = 'layers.2.moe.topk', logits = false })\n"
	"assert(r['layers.2.moe.topk'].shape[1] == 1300)\n"
	"local w = m:run({ table.unpack(ids, 1, 20) }, { window = 8 }) assert(w.logits.shape[1] == 20)\n"
	"for i, nan in pairs { [0] = true, [7] = false, [8] = true, [9] = false, [16] = true } do assert((w.logprobs[i] ~= w.logprobs[i]) == nan, i) end\n"
	"local again = m:run({ table.unpack(ids, 1281, 1300) }, { watch = 'layers.2.moe.topk' })['layers.2.moe.topk']\n"
	"for i = 0, 19 do for k = 0, 3 do assert(again:at(i, k) == r['layers.2.moe.topk']:at(1280 + i, k)) end end\n")

LUA(hooks_see_and_replace,
	"local m = lathe.open(TINY) local plain = m:run 'Once upon a time'.logits\n"
	"local seen = {}\n"
	"local id = m:hook('layers.*.moe.logits', function(z, at) seen[#seen + 1] = at.name; assert(at.layer and at.position == 0 and z:max() > z:min()) end)\n"
	"m:run 'Once upon a time' assert(#seen == 3 and seen[1] == 'layers.1.moe.logits')\n"
	"m:hook('layers.2.attn.out', function(x, at) return x * 0 end)\n"
	"local r = m:run('Once upon a time', { watch = 'layers.2.attn.out' })\n"
	"assert(r['layers.2.attn.out']:norm() == 0 and (r.logits - plain):norm() > 0 and #seen == 6)\n"
	"m:unhook(id) m:run 'Once' assert(#seen == 6)\n"
	"m:unhook() assert((m:run 'Once upon a time'.logits - plain):norm() == 0)\n"
	"local kept m:hook('layers.1.resid_post', function(x) kept = x end) m:run 'Once'\n"
	"assert(not pcall(function() return kept:norm() end))\n"
	"m:unhook() m:hook('layers.1.resid_post', function(x) x = x:copy() kept = x end) m:run 'Once' assert(kept:norm() > 0)\n"
	"m:unhook() m:hook('layers.3.moe.topk', function(k) return (k * 0 + lathe.tensor { 0, 1, 2, 3 }):ints() end)\n"
	"assert(m:run('Once upon', { watch = 'layers.3.moe.topk' })['layers.3.moe.topk']:max() == 3)\n")

LUA(interventions_are_views,
	"local m = lathe.open(TINY) local text = 'Once upon a time there was a'\n"
	"local before = m:run(text, { watch = 'layers.3.moe.topk' })\n"
	"local e = before['layers.3.moe.topk']:at(0, 0)\n"
	"local b = m:with { ban = { layer = 3, expert = e } }\n"
	"assert(b:run(text, { watch = 'layers.3.moe.topk' })['layers.3.moe.topk']:histogram(16)[e] == 0)\n"
	"local two = b:with { ban = { layer = 3, expert = { (e + 1) % 16, (e + 2) % 16 } }, k = 2 }\n"
	"local h = two:run(text, { watch = 'layers.3.moe.topk' })['layers.3.moe.topk']\n"
	"assert(h.shape[2] == 2 and h:histogram(16)[e] == 0 and h:histogram(16)[(e + 1) % 16] == 0)\n"
	"local w = before['layers.3.moe.topk']\n"
	"local s = m:with { scale_expert = { { layer = 3, expert = e, scale = 0 } }, bias = false, route_scale = 1, attention = 'naive', recipe = 'bf16' }\n"
	"assert(s:run(text).loss > 0)\n"
	"local a = m:with { ablate = { layer = 1, head = 0 } }:run(text, { watch = 'layers.1.attn.heads' })['layers.1.attn.heads']\n"
	"assert(a:cols(0, m.config.v_head_dim):norm() == 0 and a:norm() > 0)\n"
	"local other = m:run('A different text', { watch = 'layers.2.resid_post' })['layers.2.resid_post']\n"
	"local p = m:with { patch = { name = 'layers.2.resid_post', from = other } }:run(text, { watch = 'layers.2.resid_post' })['layers.2.resid_post']\n"
	"assert((p:rows(0, #other) - other):norm() == 0 and p:rows(#other, 1):norm() > 0)\n"
	"local v = lathe.randn(m.config.hidden_size, 3)\n"
	"local st = m:with { steer = { name = 'layers.2.resid_post', vector = v, scale = 3 } }:run(text, { watch = 'layers.2.resid_post' })['layers.2.resid_post']\n"
	"local un = m:run(text, { watch = 'layers.2.resid_post' })['layers.2.resid_post']\n"
	"assert((st - un - v * 3):norm() < 1e-3)\n"
	"assert((m:run(text).logits - before.logits):norm() == 0)\n"
	"local x, y = two:generate('Once', { n = 16, seed = 3, mtp = true }), two:generate('Once', { n = 16, seed = 3, mtp = false })\n"
	"assert(x.text == y.text and x.stats.drafted > 0)\n"
	"local hooked = m:with {} hooked:hook('layers.0.attn.out', function(x) return x * 0 end)\n"
	"assert((hooked:with {}:run(text).logits - before.logits):norm() > 0 and (m:run(text).logits - before.logits):norm() == 0)\n")

LUA(texts_are_written,
	"local m = lathe.open(TINY)\n"
	"local g = m:generate('Once upon a time', { n = 12, temperature = 0, logprobs = 2 })\n"
	"assert(#g.ids == 12 and #g.logprobs == 12 and #g.entropy == 12 and g.finish == 'length' and g.text == m:decode(g.ids) and g.prompt == 'Once upon a time')\n"
	"assert(g.alternatives[1][1].id == g.ids[1] and math.abs(g.alternatives[1][1].logprob - g.logprobs[1]) < 1e-4)\n"
	"assert(g.stats.generated == 12 and g.stats.prompt_tokens == #g.prompt_ids)\n"
	"local a, b = m:generate('Once', { n = 10, seed = 4 }), m:generate('Once', { n = 10, seed = 4, mtp = false })\n"
	"assert(a.text == b.text)\n"
	"local d = lathe.diff(a, b) assert(d.first_token == nil and d.kl == 0 and d.routes_flipped == 0 and tostring(d):find('the same'))\n"
	"local x = m:with { ban = { layer = 3, expert = 6 }, k = 1 }:generate('Once', { n = 10, seed = 4 })\n"
	"d = lathe.diff(a, x) assert(d.kl > 0 and d.routes_flipped > 0 and #d.kl_at == #a.prompt_ids + 10 and tostring(d):find('routes that differ'))\n"
	"local n = 0 m:stop_when(function(s) n = n + 1 return s['layers.3.moe.weights']:min() > 0 and s.position >= #g.prompt_ids + 3 end)\n"
	"local t = m:generate('Once upon a time', { n = 12, temperature = 0 })\n"
	"assert(t.finish == 'stopped' and #t.ids == 4 and t.ids[4] == g.ids[4] and n == 5)\n"
	"m:stop_when() assert(m:generate('Once', { n = 3 }).finish == 'length')\n")

LUA(models_are_compared,
	"local m = lathe.open(TINY) local c = lathe.compare(m, m:with { recipe = 'bf16' }, 'Once upon a time there was a')\n"
	"assert(#c.layers > 10 and c.layers[1].name == 'embed' and c.layers[1].rel_l2 == 0 and c.kl > 0 and c.kl < 1 and c.routes > 0 and c.first)\n"
	"assert(tostring(c):find('layers.3.resid_post') and tostring(c):find('KL'))\n"
	"local same = lathe.compare(m, m, 'Once') assert(same.kl == 0 and same.first == nil and same.top1 == 1)\n")

/* The derivative of a log-probability with respect to a value, by t:grad and by differences: the value is moved with a hook. */
LUA(gradients_are_true,
	"local m = lathe.open(TINY) local text = '3 + 4 ='\n"
	"local t = m:tape(text)\n"
	"local y = t.logits:at(-1):logprob(40)\n"
	"local g = t:grad(y, '{embed,layers.*.resid_post,layers.2.attn.out}')\n"
	"assert(g['layers.2.resid_post']:norm() > 0 and g.embed:norm() > 0 and #t:names() > 20)\n"
	"assert(math.abs(y:item() - m:run(text).logits:at(-1):logprob(40)) < 1e-4)\n"
	"local shape = g['layers.2.attn.out'].shape\n"
	"for _, name in ipairs { 'layers.2.attn.out', 'layers.1.resid_post', 'embed' } do\n"
	"  local d = lathe.randn(shape, 7) d = d / d:norm()\n"
	"  local along = (g[name] and g[name] or t:grad(y, name)[name]) * d\n"
	"  local function at(h)\n"
	"    local v = m:with {} v:hook(name, function(x) return x + d * h end)\n"
	"    return v:tape(text).logits:at(-1):logprob(40):item()\n"
	"  end\n"
	"  local h = 0.02 local by_differences = (at(h) - at(-h)) / (2 * h)\n"
	"  assert(math.abs(by_differences - along:sum()) < 0.03 * g[name]:norm() + 2e-4, name .. ': ' .. by_differences .. ' ' .. along:sum())\n"
	"end\n"
	"local g2 = t:grad(y, 'embed').embed assert((g2 - g.embed):norm() == 0)\n"
	"local two = t:grad(y * 2, 'embed').embed assert((two - g.embed * 2):norm() < 1e-5)\n"
	"assert((t:grad((t.final * t.final):total(), t.final) - t.final:copy() * 2):norm() < 1e-4)\n"
	"assert(tostring(t.embed):find('^embed%[') and tostring(t['layers.1.resid_post']):find('^layers.1.resid_post'))\n"
	"local kept = t.logits t = nil collectgarbage() assert(kept:at(-1):logprob(40):item() == y:item())\n")

TEST(errors_name_the_line_and_what_was_expected)
{
	Lab *lab = lab_make();
	run(lab, "m = lathe.open(TINY)");
	fails(lab, "\nm:hook('layers.9.attn.out', print)", "test.lua:2: layers.9.attn.out: the model has layers 0-3");
	fails(lab, "m:run('Once', { watch = 'layers.2.atn.out' })", "\"layers.2.atn.out\" matched no value of this forward; the nearest name is layers.2.attn.out");
	fails(lab, "m:run('Once', { wach = 'x' })", "run has no option wach; known are watch, logits, window");
	fails(lab, "m:with { bann = 1 }", "with has no option bann; known are ban, force");
	fails(lab, "m:with { ban = { layer = 3 } }", "ban needs { layer = L, expert = N }");
	fails(lab, "m:with { ban = { layer = 3, expert = 99 } }", "layer 3 has no expert 99: they are 0-15");
	fails(lab, "m:with { k = 99 }", "99 experts per token cannot be chosen");
	fails(lab, "m:with { steer = { name = 'embed', vector = 3 } }", "vector must be a tensor");
	fails(lab, "m:with { steer = { name = 'layers.2.resid_post', vector = lathe.ones(3) } }:run 'Once'", "has 128 columns, what is to be put there has 3");
	fails(lab, "m:hook('layers.2.attn.outt', print)\n\nm:run 'Once'",
		"test.lua:3: hook: \"layers.2.attn.outt\" matched no value of this forward; the nearest name is layers.2.attn.out;");
	fails(lab, "m:generate('Once', { n = 2 })", "hook: \"layers.2.attn.outt\"");
	run(lab, "m:unhook() local n = 0 m:hook('layers.2.moe.scores', function() n = n + 1 end) m:hook('layers.4.*', print) m:run 'Once' assert(n == 1) m:unhook()");
	fails(lab, "m:with { steer = { name = 'layers.1.resid_pots', vector = lathe.zeros { m.config.hidden_size } } }:run 'Once'",
		"with: \"layers.1.resid_pots\" matched no value of this forward; the nearest name is layers.1.resid_post");
	fails(lab, "m:stop_when(function(s) return s['layers.*.moe.entropi']:min() < 0 end) m:generate('Once', { n = 4 })",
		"stop_when: \"layers.*.moe.entropi\" matched no value of this forward; the nearest name is layers.");
	run(lab, "m:stop_when()");
	fails(lab, "m:with { ban = { layer = 9, expert = 0 } }", "there is no layer 9: the model has layers 0-3, its MTP modules are 4-4");
	fails(lab, "local x = lathe.zeros { 2, 4 } x:attend(x, x, { heads = 1 })", "give nil for k_R");
	fails(lab, "m:hook('embed', function(x)\nlocal y = nil\nreturn y.z end) m:run 'Once'", "test.lua:3: attempt to index a nil value");
	fails(lab, "m:unhook() m:hook('embed', function(x) return 3 end) m:run 'Once'", "the hook's function returned number; a tensor is needed");
	fails(lab, "m:unhook() m:hook('embed', function(x) return x:rows(0, 1) end) m:run 'Once upon'", "the shapes and types must be the same");
	fails(lab, "m:unhook() m:hook('embed', function(x) m:run 'a' end) m:run 'Once'", "in the middle of a forward");
	run(lab, "m:unhook() v = m:with {} m:hook('embed', function(x) v:run 'a' end) m:run 'Once' m:unhook()");
	fails(lab, "m:generate('Once', { temperature = -1 })", "temperature must be a number from 0");
	fails(lab, "m:generate {}", "the text is empty");
	fails(lab, "m:run { 1, 99999 }", "token 1 of the list is no id");
	fails(lab, "local t = m:tape 'Once' t:grad(t.logits, 'embed')", "the derivative of one number is asked for");
	fails(lab, "local t = m:tape 'Once' return t['layers.2.attn.probs']", "keeps values that are computed when asked for");
	fails(lab, "local t = m:tape 'Once' return t['layers.7.attn.out']", "layers.7.attn.out: the model has layers 0-3");
	fails(lab, "local t = m:tape 'Once' return t.logits:at(-1):logprob 'Once upon a'", "tokens of this model, one is needed");
	fails(lab, "local t, u = m:tape 'Once', m:tape 'Once' return t.embed + u.embed", "of another tape or model");
	fails(lab, "lathe.open '/nowhere/at/all'", "/nowhere/at/all");
	fails(lab, "m:tensor 'model.nothing'", "model.nothing");
	fails(lab, "m:stop_when(function(s) return nil + 1 end) m:generate('Once', { n = 3 })", "attempt to perform arithmetic on a nil value");
	fails(lab, "lathe.diff({}, {})", "what m:generate returned");
	run(lab, "m:stop_when() assert(m:run 'Once'.loss)");
	lab_free(lab);
}

LUA(logprob_by_the_text_of_a_token,
	"local m = lathe.open(DOMAINS) local t = m:tape '3 + 4 = '\n"
	"local y = t.logits:at(-1):logprob '7' assert(y:item() < 0)\n"
	"assert(math.abs(m:run('3 + 4 = ').logits:at(-1):logprob '7' - y:item()) < 1e-3)\n"
	"local w = m:tape('3 + 4 = ', { watch = 'layers.*.attn.probs' })\n"
	"assert(w['layers.2.attn.probs'].shape[2] == #m:encode('3 + 4 = ', true) and t:grad(y, 'layers.*.resid_post')['layers.1.resid_post']:norm() > 0)\n")

/* Memory of models and of their values is given back. */
TEST(memory_of_models_is_counted_and_comes_back)
{
	Lab *lab = lab_make();
	run(lab, "local m = lathe.open(TINY) local v = m:with { k = 1 } v:run('Once', { watch = '**' }) v:tape 'Once'");
	for (int i = 0; i < 4; i++)
		lua_gc(lab->room.L, LUA_GCCOLLECT);
	assert_int_equal(lab->outside, 0);
	run(lab, "m = lathe.open(TINY) local s = ('Once upon a time '):rep(40) for i = 1, 40 do m:with { k = 2 }:run(s, { logits = false }) end");
	assert_true(lab->outside > 1 << 20 && lab->outside < 300 << 20);
	run(lab, "lathe.ones { 4000, 4000 }:exp()");
	lua_gc(lab->room.L, LUA_GCCOLLECT);
	lab->room.limit = lab->room.held + (64 << 10);
	fails(lab, "m:run('Once upon a time there was a', { watch = 'layers.*.resid_post' })", "memory");
	lab_free(lab);
}

static char *box_path(const char *given, Err *e)
{
	char rel[64];
	(void)e;
	snprintf(rel, sizeof rel, "data/%.40s", given + 1);
	return strdup(given[0] == '@' ? unit_src(rel) : given);
}

/* The examples of the manual, each in a fresh state. */
TEST(every_example_of_models_and_tensors_runs)
{
	extern const ApiClass api_tensor, api_tensor_math, api_tensor_make, api_model, api_model_open, api_model_run, api_model_with, api_model_tape,
		api_model_compare, api_compare, api_tape;
	const ApiClass *all[] = { &api_tensor, &api_tensor_math, &api_tensor_make, &api_model, &api_model_open, &api_model_run, &api_model_with,
		&api_model_tape, &api_model_compare, &api_compare, &api_tape };
	int n = 0;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		for (const ApiFn *f = all[i]->fn; f->name; f++) {
			assert_true(f->signature && f->signature[0] == '(' && f->text && strlen(f->text) > 10);
			if (!f->example)
				continue;
			Err e = { 0 };
			const char *dir = unit_src("lua");
			LabOptions o = { .threads = 1, .seed = 1, .memory_limit = 512 << 20, .ckpt_path = box_path, .lua_dir = dir };
			Lab *lab = lab_new(&o, &e);
			assert_non_null(lab);
			api_open(lab->room.L);
			lua_setglobal(lab->room.L, "lathe");
			if (!lab_text(lab, f->example, strlen(f->example), "@example.lua", &e))
				fail_msg("%s: %s", f->name, e.text);
			lab_free(lab);
			n++;
		}
	assert_true(n > 25);
}

/* Methods and options with values that fit badly: an error or a result, and the model works on. For the sanitizer build. */
LUA(models_take_anything_without_harm,
	"local m = lathe.open(V3) local before = m:run { 5, 6, 7, 8 }.logits\n"
	"local seed = 11 local function rnd(n) seed = (seed * 1103515245 + 12345) % 2147483648 return seed // 65536 % n + 1 end\n"
	"local t = m:tape { 3, 4, 5 }\n"
	"local atoms = { -1, 0, 1, 2, 3, 1.5, 1 << 40, 0 / 0, 1 / 0, true, false, '', 'layers.1.resid_post', 'layers.*.attn.{q,out}', '**', '{', 'layers.77.x', 'bf16',\n"
	"  'naive', lathe.ones(64), lathe.ones { 2, 64 }, lathe.zeros { 0, 64 }, lathe.ones { 1, 3 }, t.logits, t.embed, m, t, print, function() return 1 end,\n"
	"  function(x) return x end, function(x) error({}) end, { 3, 4 }, { 0 }, { -1 }, { 1e9 }, {}, { { layer = 2, expert = 1 } }, { layer = 9 } }\n"
	"local keys = { 'watch', 'logits', 'window', 'n', 'temperature', 'top_p', 'top_k', 'min_p', 'seed', 'mtp', 'logprobs', 'attention', 'ignore_eos', 'ban', 'force', 'ablate',\n"
	"  'patch', 'steer', 'k', 'groups', 'route_scale', 'bias', 'recipe', 'scale_expert', 'layer', 'expert', 'head', 'name', 'from', 'vector', 'scale' }\n"
	"local function value(deep)\n"
	"  if rnd(3) > 1 or deep > 2 then return atoms[rnd(#atoms)] end\n"
	"  local o = {} for i = 1, rnd(3) do o[keys[rnd(#keys)]] = value(deep + 1) end\n"
	"  if o.n and type(o.n) == 'number' and o.n > 4 then o.n = 4 end\n"
	"  return o\n"
	"end\n"
	"local methods = { 'run', 'generate', 'with', 'hook', 'unhook', 'stop_when', 'tape', 'encode', 'decode', 'tokens', 'tensor', 'names', 'kv_bytes_per_token' }\n"
	"local right = 0\n"
	"for i = 1, 1500 do\n"
	"  local name = methods[rnd(#methods)] local v = m:with {}\n"
	"  local a, b = value(0), value(0)\n"
	"  if name == 'generate' then a, b = { 3, 4, 5 }, type(b) == 'table' and rnd(2) == 1 and { n = 3, temperature = b.temperature, top_p = b.top_p, top_k = b.top_k, mtp = b.mtp } or { n = 2 } end\n"
	"  local ok, r = pcall(v[name], v, a, b)\n"
	"  if ok then right = right + 1 end\n"
	"  if ok and name == 'with' then pcall(r.run, r, { 3, 4, 5, 6 }) pcall(r.generate, r, { 3, 4 }, { n = 2 }) end\n"
	"  if ok and name == 'hook' then pcall(v.run, v, { 3, 4, 5 }) end\n"
	"  if ok and name == 'stop_when' then pcall(v.generate, v, { 3, 4 }, { n = 3 }) end\n"
	"  pcall(t.grad, t, atoms[rnd(#atoms)], atoms[rnd(#atoms)]) pcall(lathe.compare, v, value(0), value(0)) pcall(lathe.diff, value(0), value(0))\n"
	"  pcall(lathe.open, a, b)\n"
	"end\n"
	"assert(right > 50, right)\n"
	"assert((m:run { 5, 6, 7, 8 }.logits - before):norm() == 0)\n")
