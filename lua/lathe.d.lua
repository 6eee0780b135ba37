---@meta lathe
-- Made by `lathe help --lua-stubs` from the tables in src/script and the comments in lua/lathe; for editors.

---The module: models, training runs, experiments. `lathe.args` are the arguments behind the script's name, `lathe.quick` is true when a short run is asked for (--quick), `lathe.seed` is --seed, `lathe.threads` how many threads compute.
---@class lathe
---@field args string[]
---@field quick boolean
---@field seed integer
---@field threads integer
local lathe = {}

---Writes a file of results below --out (default: the present folder) and returns its name. The name may have folders in it, which are made; it ends in .csv, .json, .jsonl, .md, .png, .svg, .tex, .tsv or .txt, and cannot lead out of the folder. The file appears whole or not at all.
---```lua
---lathe.write("results/losses.csv", "step,loss\n1,4.2\n")
---```
---@param name string
---@param text string
---@return string
function lathe.write(name, text) end

---Ends the script with an error that points at the script's own line, also from inside a module of lathe.
---```lua
---print(pcall(lathe.fail, "no expert 99"))
---```
---@param message string
function lathe.fail(message) end

---Seconds on a clock that only goes forward, for measuring.
---```lua
---local t = lathe.seconds()
---print(lathe.seconds() - t < 60)
---```
---@return number
function lathe.seconds() end

---A value as JSON: a table with the keys 1..n is a list, another one an object with its keys in order; a Series and a Tensor are lists. Numbers that are not finite become null.
---```lua
---print(lathe.json { loss = { 4.25, 3.5 }, name = "small" })
---```
---@param value any
---@return string
function lathe.json(value) end

---A tensor of the numbers in a list, or in a list of rows (and so on, 4 deep).
---```lua
---local x = lathe.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
---assert(#x == 2 and x.shape[2] == 3)
---```
---@param list table
---@return Tensor
function lathe.tensor(list) end

---A tensor of zeros: lathe.zeros(3), lathe.zeros { 2, 3 }.
---```lua
---assert(lathe.zeros { 2, 3 }:sum() == 0)
---```
---@param shape integer | table
---@return Tensor
function lathe.zeros(shape) end

---A tensor of ones.
---```lua
---assert(lathe.ones { 2, 3 }:sum() == 6)
---```
---@param shape integer | table
---@return Tensor
function lathe.ones(shape) end

---Normal random numbers, mean 0 and variance 1: the same for the same seed, on any machine. Without a seed that of the run (lathe.seed).
---```lua
---assert(lathe.randn(3, 1):at(0) == lathe.randn(3, 1):at(0))
---```
---@param shape integer | table
---@param seed integer?
---@return Tensor
function lathe.randn(shape, seed) end

---Opens a checkpoint: "@NAME" of the box or a folder with config.json and safetensors. precision "native" or "bf16"; attention "auto", "naive" or "absorbed"; layers: only the first so many. Its weights count against the memory limit.
---```lua
---local m = lathe.open "@tiny"
---print(m)
---```
---@param path string
---@param options { threads: integer?, precision: string?, attention: string?, layers: integer? }?
---@return Model
function lathe.open(path, options) end

---Two models, or two views of one, on the same tokens. layers: a list of { name, rel_l2, max_abs } in the order of computing; first: the name of the first value that differs; kl: mean KL(A || B) in nat, kl_at its tensor by position; top1: share of positions with the same best token; routes, routes_flipped, and by_layer: choices of experts in all and those that differ. Prints as a table.
---```lua
---local m = lathe.open "@tiny"
---print(lathe.compare(m, m:with { recipe = "bf16" }, "Once upon a time"))
---```
---@param a Model
---@param b Model
---@param text string | integer[]
---@return Comparison
function lathe.compare(a, b, text) end

---What m:generate returned twice: first_token, counted from 0 behind the prompt, is where the texts part (nil: nowhere); and, both models reading A's text, the fields of lathe.compare. Prints as a summary.
---```lua
---local m = lathe.open "@tiny"
---local a = m:generate("Once", { n = 8, seed = 1 })
---local b = m:with { ban = { layer = 3, expert = 6 } }:generate("Once", { n = 8, seed = 1 })
---print(lathe.diff(a, b))
---```
---@param a table
---@param b table
---@return Difference
function lathe.diff(a, b) end

---Keeps a number under a name; a Tensor of one number counts as one. lathe.logged() has all of them.
---```lua
---for step = 1, 3 do lathe.log("norm", step / 2) end
---print(lathe.show(lathe.logged()))
---```
---@param name string
---@param value any
function lathe.log(name, value) end

---What was logged: a list of numbers by name, as lathe.plot.line and lathe.json take it.
---```lua
---lathe.log("loss", 2) lathe.log("loss", 1)
---lathe.plot.line(lathe.logged()):print()
---```
---@return table
function lathe.logged() end

---Begins reinforcement learning and makes no iteration yet; run:step, run:set and run:finish go on. Takes what lathe.rl takes.
---```lua
---local run = lathe.rl_run { model = { hidden_size = 32, num_hidden_layers = 2 }, task = "add2", prompts = 2, group = 2, max_new = 8 }
---print(run:step().reward:last(), #run:group())
---```
---@param t table | string
---@return RlRun
function lathe.rl_run(t) end

---Trains a policy by rewards and returns the run. model (or from): a checkpoint or "@NAME", or the sizes of a fresh one; task: the name of a task, lathe.tasks.exam(...) or { max_new =, ask =, judge = }; reward = function(s) returns a number for s = { text, answer, truth, right, thinks, length, ended, problem } (without one: 1 for right, `format` for the form). Beside them every setting of `lathe help rl` (algorithm, group, prompts, iterations, ...) and of `lathe help train`. Held-out problems are asked only when eval_n (at start and end) or eval_every is given. every = { [20] = function(run) ... end } calls functions between iterations; quiet = true shows no progress; `out` is a folder below --out. The name of a configuration in the box ("grpo-mult2") does in place of the table. The bits are those of `lathe rl` with the same settings.
---```lua
---local run = lathe.rl { model = { hidden_size = 32, num_hidden_layers = 2 }, task = "add2", algorithm = "grpo", prompts = 2, group = 2,
---	max_new = 8, iterations = 2, reward = function(s) return (s.answer == s.truth and 1 or 0) + s.length / 10 end }
---print(run.reward:mean(), run.entropy:last())
---```
---@param t table | string
---@return RlRun
function lathe.rl(t) end

---A value as a text: tables with what is in them, the first 40 values of each, four levels deep, and at most 200 values in all. Tensors in a table are told by their shape. print and tostring say the same of tables. What a value's own tostring says is taken.
---```lua
---print(lathe.show { loss = { 4.2, 3.1 }, name = "small" })
---```
---@param value any
---@return string
function lathe.show(value) end

---Begins a training run and makes no step yet; run:step, run:set and run:finish go on. Takes what lathe.train takes.
---```lua
---local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = "add2", steps = 4, batch = 2, seq = 32 }
---for _ = 1, 3 do print(run:step().loss:last()) end
---```
---@param t table | string
---@return Run
function lathe.run(t) end

---Trains a model and returns the run. t has the fields of a configuration file (lathe-config(5)): model, data, steps, batch, seq and every setting of `lathe help train`; or it is the name of a configuration in the box. Shorter forms: model = the sizes that differ from nn.LM's; data = a name or a mix; lr = { peak, warmup, shape, final, hold }; balance = { "bias", gamma, frozen }; mtp = { lambda, late }. Without `tokenizer` it is the data's. `out` is a folder below --out for checkpoints and the finished model; what an earlier run left there is replaced. every = { [20] = function(run) ... end } calls functions between steps, which may change with run:set what has a * in `lathe help train` (steps, batch, lr, gamma, ...); quiet = true shows no progress.
---```lua
---local run = lathe.train { model = { hidden_size = 32, num_hidden_layers = 2 }, data = { stories = 1, arithmetic = 1 }, steps = 3,
---	batch = 2, seq = 32, lr = { peak = 3e-3, warmup = 2 }, balance = { "bias", gamma = 1e-3 } }
---print(#run.loss, run.maxvio:mean() >= 0)
---```
---@param t table | string
---@return Run
function lathe.train(t) end

---A configuration in the box (lua/configs/train-NAME.lua) as a table of one's own, to change and train.
---```lua
---local c = lathe.config "addition"
---c.steps, c.out = 2, nil
---print(lathe.train(c).steps)
---```
---@param name string
---@return table
function lathe.config(name) end

---The ops that models are made of, each an equation of a paper with its gradient. Each is a method of its first argument too: lathe.op.linear(x, W) is x:linear(W). Inputs that are plain numbers are computed at once; one input on a tape puts the result on it.
---@class lathe.op
lathe.op = {}

---y = a + b. The residual sum. Source: V3 report 2.1, the block.
---@param a Tensor
---@param b Tensor
---@return Tensor
function lathe.op.add(a, b) end

---y = a * b, elementwise. For gates and masks that a hook puts in.
---@param a Tensor
---@param b Tensor
---@return Tensor
function lathe.op.mul(a, b) end

---y = a / b, elementwise. Infinity or not a number where b is 0.
---@param a Tensor
---@param b Tensor
---@return Tensor
function lathe.op.div(a, b) end

---y = c a. A constant factor; no gradient to c.
---@param a Tensor
---@param c number
---@return Tensor
function lathe.op.scale(a, c) end

---y_t = x_t + b. One row added to every row: steering vectors, biases.
---@param x Tensor
---@param b Tensor
---@return Tensor
function lathe.op.add_row(x, b) end

---y_t = x_t * b. Every row times one row: masks of heads and columns.
---@param x Tensor
---@param b Tensor
---@return Tensor
function lathe.op.mul_row(x, b) end

---y = sum_ij x_ij. One number that t:grad can start from.
---@param x Tensor
---@return Tensor
function lathe.op.total(x) end

---y_ji = x_ij. A copy.
---@param x Tensor
---@return Tensor
function lathe.op.transpose(x) end

---y = exp(x), each. Overflows to infinity above 88 (709 in double).
---@param x Tensor
---@return Tensor
function lathe.op.exp(x) end

---y = ln(x), each. -inf at 0, not a number below.
---@param x Tensor
---@return Tensor
function lathe.op.log(x) end

---y = tanh(x), each. For soft caps and gates.
---@param x Tensor
---@return Tensor
function lathe.op.tanh(x) end

---y = max(x, 0), each. No gradient where x <= 0. Source: V3.2 report 2.1 eq. 1 (the indexer's).
---@param x Tensor
---@return Tensor
function lathe.op.relu(x) end

---y = x / (1 + exp(-x)), each. The half of SwiGLU that is a function of one number. Source: moe.md 2.
---@param x Tensor
---@return Tensor
function lathe.op.silu(x) end

---y = x[:, from:from+n]. A view, no copy.
---@param x Tensor
---@param from integer
---@param n integer
---@return Tensor
function lathe.op.cols(x, from, n) end

---y = x[from:from+n, :]. A view, no copy.
---@param x Tensor
---@param from integer
---@param n integer
---@return Tensor
function lathe.op.rows(x, from, n) end

---y = [a ; b], along columns. Joins two tensors row by row. Source: V3 report 2.2 eq. 21.
---@param a Tensor
---@param b Tensor
---@return Tensor
function lathe.op.concat(a, b) end

---y_i = x[row_i]. Chooses rows: last positions, shifts of MTP. Source: V3 report 2.2.
---@param x Tensor
---@param row integer[]
---@return Tensor
function lathe.op.pick(x, row) end

---y_i = W[id_i]. Token ids to vectors; no gradient to the ids. Source: V3 report 2.1.
---@param W Tensor
---@param id integer[]
---@return Tensor
function lathe.op.embed(W, id) end

---y = x W^T. Product with a weight; the recipe's formats apply. Source: training.md 2.1.
---@param x Tensor
---@param W Tensor
---@return Tensor
function lathe.op.linear(x, W) end

---y = x W^T + b. Product with a weight and a bias. Source: mla.md 2 (attention_bias).
---@param x Tensor
---@param W Tensor
---@param b Tensor?
---@return Tensor
function lathe.op.linear_bias(x, W, b) end

---y = g x / sqrt(mean x^2 + eps). Per row; g is a weight. Source: mla.md 2, training.md 2.2.
---@param x Tensor
---@param g Tensor
---@param eps number?
---@return Tensor
function lathe.op.rmsnorm(x, g, eps) end

---y = silu(gate) * up. The non-linear part of every MLP and expert. Source: moe.md 2, training.md 2.4.
---@param gate Tensor
---@param up Tensor
---@return Tensor
function lathe.op.swiglu(gate, up) end

---y = 1 / (1 + exp(-x)). Affinity of token and expert in V3. Source: V3 report 2.1.2 eq. 15.
---@param x Tensor
---@return Tensor
function lathe.op.sigmoid(x) end

---y_i = exp(x_i) / sum_j exp(x_j). Over the last dimension; the router of V2. Source: V2 report 2.2 eq. 22.
---@param x Tensor
---@return Tensor
function lathe.op.softmax(x) end

---y = R(pos) x on columns [from, from+d) of each head. Rotary positions, neighbouring pairs or pairs half apart; other columns are copied. Options: heads (1), width (columns of a head), from (the last columns of a head), pos (the forward's positions, else 0, 1, ...), and for a table of one's own theta, d, half. Source: V3 report 2.1.1 eq. 3, 8; mla.md 4, 5.
---@param x Tensor
---@param options table
---@return Tensor
function lathe.op.rope(x, options) end

---o = softmax_{s<=t}(scale (q_C k_C + q_R k_R)) v. Causal attention in one piece; gradients to q, k, k_R and v when all are stored as computed. Options: heads (1), key_heads (heads), d_k, d_r (width of k_R), d_v (from the columns), k_width and v_width (columns from one head to the next: d_k, d_v), scale (1/sqrt(d_k + d_r)); the sequences are those of the forward, else all rows are one. Source: V3 report 2.1.1 eq. 10; training.md 2.5, 2.6.
---@param q Tensor
---@param k Tensor
---@param k_R Tensor?
---@param v Tensor
---@param options table
---@return Tensor
function lathe.op.attend(q, k, k_R, v, options) end

---scores_{ti,s} = scale (q_C,i k_C + q_R,i k_R), s <= t. 0 where a row may not look. Options: heads (1), key_heads (heads), d_k, d_r (width of k_R), d_v (from the columns), k_width and v_width (columns from one head to the next: d_k, d_v), scale (1/sqrt(d_k + d_r)); the sequences are those of the forward, else all rows are one. Source: V3 report 2.1.1 eq. 10.
---@param q Tensor
---@param k Tensor
---@param k_R Tensor?
---@param options table
---@return Tensor
function lathe.op.attend_scores(q, k, k_R, options) end

---probs = softmax_{s<=t}(scores). 0 where a row may not look. Option: heads (1). Source: V3 report 2.1.1 eq. 10.
---@param scores Tensor
---@param options table
---@return Tensor
function lathe.op.attend_probs(scores, options) end

---o = probs v. Weighted sums of values. Options: heads (1), key_heads, d_v, v_width. Source: V3 report 2.1.1 eq. 10.
---@param probs Tensor
---@param v Tensor
---@param options table
---@return Tensor
function lathe.op.attend_values(probs, v, options) end

---q~_i = W_UK,i^T q_C,i ; o_i = W_UV,i sum_s softmax_s(scale (q~_i c_KV(s) + q_R,i k_R(s))) c_KV(s). MLA absorbed; gradients to q, c_KV, k_R and W_UKV when the cache is stored as computed; none through probs_out. Options: heads, d_k, d_v, scale. Source: V2 report 2.1.2; mla.md 7.
---@param q Tensor
---@param c_KV Tensor
---@param k_R Tensor
---@param W_UKV Tensor
---@param options table
---@return Tensor
function lathe.op.attend_latent(q, c_KV, k_R, W_UKV, options) end

---S = topk of s + b within the best groups. Not differentiable: the gradient flows through the weights, not the choice. Options: k (1), groups (1), groups_kept (all), top2 (true: a group counts by its two best). Source: V3 report 2.1.2 eq. 14-16; moe.md 3, 4.
---@param scores Tensor
---@param bias Tensor?
---@param options table
---@return Tensor
function lathe.op.route_choose(scores, bias, options) end

---w_i = scale s_i / sum_S s, or scale s_i. Gradient to the scores of the chosen experts. Options: normalise (true), scale (1). Source: V3 report 2.1.2 eq. 13; training.md 2.7, 2.8.
---@param scores Tensor
---@param topk Tensor
---@param options table?
---@return Tensor
function lathe.op.route_weights(scores, topk, options) end

---y_j = x[token_j]. Copies of tokens, sorted by expert. Source: moe.md 2.
---@param x Tensor
---@param topk Tensor
---@return Tensor
function lathe.op.dispatch(x, topk) end

---y_j = x_j W[e]^T for the rows j of expert e. All experts in one hand-over; the recipe's formats apply. x as dispatch gives it; W: a weight for each expert. Source: V3 report 2.1.2 eq. 12.
---@param x Tensor
---@param W Tensor[]
---@param topk Tensor
---@return Tensor
function lathe.op.linear_grouped(x, W, topk) end

---out_t = sum_k w_tk y[slot_tk]. Experts' results brought back to their tokens, in ascending order of expert. y as linear_grouped gives it. Source: V3 report 2.1.2 eq. 12; training.md 2.7.
---@param y Tensor
---@param weights Tensor
---@param topk Tensor
---@return Tensor
function lathe.op.combine(y, weights, topk) end

---y = -1/norm sum_t log softmax(z_t)[label_t]. Rows with a negative label do not count. Source: training.md 2.10.
---@param z Tensor
---@param label integer[]
---@param norm number?
---@return Tensor
function lathe.op.cross_entropy(z, label, norm) end

---y = sum_q sum_i c_qi P_qi, P_qi = 1/T_q sum_t s_ti / sum_j s_tj. Balance of experts within sequences; the coefficients are constants. With a softmax gate scores are shares already. coef: [sequences, experts], plain. Source: V3 report 2.1.2 eq. 17-20; V2 report 2.2.3; training.md 2.9.
---@param scores Tensor
---@param coef Tensor
---@param share boolean?
---@return Tensor
function lathe.op.balance(scores, coef, share) end

---y_t = log softmax(z_t / T over the kept)[id_t]. Temperature as in sampling; a token that was not kept has no probability and cannot be chosen. Source: V3.2 report 3.1; rl.md 1, 5.4.
---@param z Tensor
---@param ids integer[]
---@param temperature number?
---@return Tensor
function lathe.op.token_logp(z, ids, temperature) end

---y = mean_t(-min(r A, clip(r, 1-low, 1+high) A) + beta KL), r = exp(l - l_old). Gradient to the log-probabilities l alone; advantages, l_old, l_ref and the mask of outputs are constants. Source: DeepSeekMath 4.1; V3.2 report 3.1; rl.md 2, 3, 5, 6.
---@param logp Tensor
---@param advantage Tensor
---@param old Tensor?
---@param ref Tensor?
---@param low number?
---@param high number?
---@param beta number?
---@return Tensor
function lathe.op.policy_loss(logp, advantage, old, ref, low, high, beta) end

---y = 1/2 mean_t max((V - R)^2, (clip(V, V_old - eps, V_old + eps) - R)^2). Gradient to V alone; none where the clipped part is the greater one. Source: PPO; rl.md 2.1.
---@param values Tensor
---@param returns Tensor
---@param old Tensor?
---@param limit number?
---@return Tensor
function lathe.op.value_loss(values, returns, old, limit) end

---What lathe.nn stands on: modules of Lua as parts of a model, and names for values.
---@class lathe.part
lathe.part = {}

---For lathe.nn: the parts { attention = ..., router = ... } of a model, each { name, weights, forward } as nn.LM makes them.
---@param modules table
---@return Parts
function lathe.part.new(modules) end

---The value under a name of the layer's, as nn.name gives it: hooks and probes see it, and may have put another in its place.
---```lua
---assert(lathe.nn.name('c_KV', lathe.ones(3)):sum() == 3)
---```
---@param name string
---@param value Tensor
---@return Tensor
function lathe.part.name(name, value) end

---The config.json of a checkpoint, "@NAME" or a folder, as a table.
---```lua
---assert(lathe.part.config("@tiny").model_type == "deepseek_v3")
---```
---@param path string
---@return table
function lathe.part.config(path) end

---Sources put together. A source is { get = function(rng, split, row, i) -> { prompt = ..., answer = ... } }; the names of text domains and tasks ("stories", "mult2") stand for their sources.
---@class lathe.data
lathe.data = {}

---Each document from one of several sources, drawn by weight: names of text domains (stories, code, arithmetic, chinese) and tasks (add2, mult, chain4, ...), or { { source, weight }, ... }.
---```lua
---local source = lathe.data.mix { stories = 2, add2 = 1 }
---print(source.tokenizer)
---```
---@param mix table
---@return table
function lathe.data.mix(mix) end

---The same, but a whole row of a batch is of one source.
---```lua
---print(lathe.data.rows { stories = 1, code = 1 }.tokenizer)
---```
---@param mix table
---@return table
function lathe.data.rows(mix) end

---Text of a domain (stories, code, arithmetic, chinese) that no training run sees; the same for everybody. n counts characters, which are not tokens: a token of stories has several of them, one of arithmetic often one. To compare domains give options { tokenizer = m }: then n counts tokens of the model m (one or two less where the text would end in half a character). Another `part` (a number, alone or in the options), another text.
---```lua
---print(#lathe.data.text("stories", 100) == 100)
---local m = lathe.open "@domains"
---print(#m:encode(lathe.data.text("code", 100, { tokenizer = m })) == 100)
---```
---@param domain string
---@param n integer
---@param options table | integer | nil
---@return string
function lathe.data.text(domain, n, options) end

---n whole documents of a domain, as a list of texts: those that lathe.data.text puts together.
---```lua
---print(#lathe.data.documents("stories", 3) == 3)
---```
---@param domain string
---@param n integer
---@param part integer?
---@return string[]
function lathe.data.documents(domain, n, part) end

---Attention and routers as modules. A class is made by nn.module; its build makes the fields, weights and smaller modules, and its forward is the equation. There are nn.Linear(in, out, { bias = true }), nn.RMSNorm(n, eps), nn.MLA(c), nn.MHA(c), nn.GQA(c), nn.MQA(c) and nn.Router(c); c is the config, and lua/lathe/nn/ has each beside its section of the report. forward sees the rows of all sequences of a batch, [T, hidden_size]; rope and attend know where each begins. A weight is called by the fields that lead to it: self.gate is model.layers.N.self_attn.gate.weight.
---@class lathe.nn
lathe.nn = {}

---A weight [rows, cols] of a module, for a field. It begins with normal numbers of the run's init_std (where the field is called o_proj or down_proj: over sqrt(2 layers)); during a forward the layer's tensor stands in the field.
---@param rows integer
---@param cols integer
---@return table
function lathe.nn.matrix(rows, cols) end

---A weight [n] of a module, for a field. It begins with zeros, or with ones when start is 1, and is not decayed. A router's vector that is called e_score_correction_bias has no gradient: the bias rule moves it.
---@param n integer
---@param start integer?
---@return table
function lathe.nn.vector(n, start) end

---The value under a name of the layer's, as LET does it in C: layers.N.attn.NAME or layers.N.moe.NAME. Hooks and probes see it, and may have put another in its place. The balance losses read a router's "scores".
---```lua
---assert(lathe.nn.name("c_KV", lathe.ones(3)):sum() == 3)
---```
---@param name string
---@param value Tensor
---@return Tensor
function lathe.nn.name(name, value) end

---A class of modules. Class(...) makes one and calls its build(...); calling the module calls its forward. parent: the class that it is like until it writes its own build or forward, nn.module("Mine", nn.MLA). Given to nn.LM as attention, forward(h, ctx) gives [T, hidden_size]; as router, the weights [T, K] and the choice [T, K]. ctx.layer is the layer, ctx.config the model's. The name is kept in checkpoints.
---```lua
---local nn = lathe.nn
---local GatedMLA = nn.module "GatedMLA"
---function GatedMLA:build(c) self.mla, self.gate = nn.MLA(c), nn.Linear(c.hidden_size, c.hidden_size) end
---function GatedMLA:forward(h) return self.mla(h) * self.gate(h):sigmoid() end
---local model = nn.LM { attention = GatedMLA, hidden_size = 32, num_hidden_layers = 2 }
---print(lathe.train { model = model, data = "add2", steps = 2, batch = 2, seq = 32 }.loss:last())
---```
---@param name string
---@param parent table?
---@return table
function lathe.nn.module(name, parent) end

---Opens a checkpoint whose attention or router a script has defined, as lathe.open does others: nn.open(PATH, { attention = GatedMLA }). The classes must be called what the checkpoint calls them. Further options are those of lathe.open.
---@param path string
---@param options table
---@return Model
function lathe.nn.open(path, options) end

---The softmax scale of a config: 1 / sqrt(width of a head), times YaRN's m^2.
---```lua
---assert(lathe.nn.scale { qk_nope_head_dim = 12, qk_rope_head_dim = 4 } == 0.25)
---```
---@param c table
---@return number
function lathe.nn.scale(c) end

---The model that lathe.train and lathe.run make, as a table of sizes: keys are those of a DeepSeek-V3 config.json, and what is not given has a value for a small model. Beside them: attention and router, classes of nn or the script's own; mtp, the number of MTP modules. Vocabulary and end of text are the tokenizer's unless they are given.
---```lua
---local m = lathe.nn.LM { attention = lathe.nn.MQA, hidden_size = 64, mtp = 1 }
---assert(m.lathe_attention == "mqa" and m.num_nextn_predict_layers == 1)
---```
---@param sizes table
---@return table
function lathe.nn.LM(sizes) end

---Pictures of numbers: lines, heat maps and bars, drawn as the screen draws them. plot:print() shows one on the terminal, plot:save(name) writes it as .svg, .png, .txt, .csv or .json below --out.
---@class lathe.plot
lathe.plot = {}

---A heat map. rows: a table of lists by name (in the order of the alphabet; for another order give a list of lists, and labels), or a list of lists, or a Tensor of two dimensions. Options: title, facts (at the right of the title), x and y (what columns and rows are, told below the picture), labels of the rows in their order, unit, log, numbers (the numbers themselves), diverging (colours to both sides of zero), width, height.
---```lua
---lathe.plot.heat({ stories = { 0.1, 0.7, 0.2 }, code = { 0.6, 0.1, 0.3 } }, { title = "share of tokens", x = "expert" }):print()
---```
---@param rows table
---@param options table?
---@return Plot
function lathe.plot.heat(rows, options) end

---Lines. lines: a Series, a list or { x = list, y = list } (the x values grow), or a table of them by name. Options: title, facts, names (in which order), x and y (what the axes are, told below the picture), zero (true: the y axis begins at zero, else near the data), unit, log, width, height.
---```lua
---lathe.plot.line({ bias = { 4.2, 3.1, 2.8 }, none = { 4.2, 3.4, 3.1 } }, { title = "loss" }):print()
---lathe.plot.line({ x = { 1, 10, 100 }, y = { 4.2, 3.1, 2.8 } }, { x = "step", y = "loss, nat" }):print()
---```
---@param lines any
---@param options table?
---@return Plot
function lathe.plot.line(lines, options) end

---Bars. values: numbers by name, or a list of { name, value, note }. Options: title, facts, order ("value": the longest first; else that of the names or of the list), x and y (told below), unit, log, width, height.
---```lua
---lathe.plot.bars({ mla = 288, mha = 2048, mqa = 256 }, { title = "cache", unit = "B a token", order = "value" }):print()
---```
---@param values table
---@param options table?
---@return Plot
function lathe.plot.bars(values, options) end

---Precisions by what they are made of. Each function returns the name that model:with { recipe = } and lathe.compare understand.
---@class lathe.recipe
lathe.recipe = {}

---DeepSeek-V3's FP8: tile = 128 numbers along the sum that share a scale; scale = "f32" or "pow2"; accumulate = "f32" or "hopper" (13 bits, promoted every 128); gradients = "e4m3" or "e5m2". Of these only combinations that `lathe help fp8` lists can be computed.
---```lua
---local m = lathe.open "@tiny"
---print(m:with { recipe = lathe.recipe.v3 { tile = 128, accumulate = "hopper" } }:generate("Once", { n = 4, temperature = 0 }).text)
---```
---@param t table?
---@return string
function lathe.recipe.v3(t) end

---An experiment's table: rows that were measured, with the mean and spread over several seeds, beside figures that others reported, labelled as quoted; and its curves.
---@class lathe.study
lathe.study = {}

---Begins a study. lathe.study is called like a function: lathe.study "name".
---```lua
---local s = lathe.study.new "a small one"
---s:columns { "size", "loss" }:row { "32", 3.2 }:row { "64", 2.9 }:print()
---```
---@param name string
---@return Study
function lathe.study.new(name) end

---Problems with known answers at several levels, the steps to them in several styles, and their judges.
---@class lathe.tasks
lathe.tasks = {}

---Training text of tasks, with the steps written in several styles: a list of { "chain", share = 1, levels = { 1, 6 }, styles = { check = 1 } }; without levels and styles all of the task's. The problems of exams never occur in it.
---```lua
---print(lathe.tasks.source({ { "add", levels = { 2, 2 } }, { "mult2", share = 0.5 } }).tokenizer)
---```
---@param list table
---@return table
function lathe.tasks.source(list) end

---Held-out problems of one task, the same for everybody: "mult2" (level 2), "mult" (all levels, in turn), or with the level as a number of its own. The tasks are add, brackets, chain, count, countdown, mult, recall and sort.
---```lua
---print(lathe.tasks.exam("chain", 3).max_new)
---```
---@param name string
---@param level integer?
---@return table
function lathe.tasks.exam(name, level) end

---The four small text domains, clearly different from each other, so that experts can be seen to specialise. text.source(name) makes documents without a prompt; the loss counts all of them.
---@class lathe.text
lathe.text = {}

---Documents of one domain (stories, code, arithmetic, chinese) as a source of training text.
---```lua
---print(lathe.text.source("code").tokenizer)
---```
---@param name string
---@return table
function lathe.text.source(name) end

---Numbers in rows: plain ones, or a value on a tape (in hooks, in m:tape, in attention and losses of your own). Both are read alike. Arithmetic (+ - * / and unary -, with numbers, equal shapes, or one row against all) and the ops of lathe.op, which are methods too, give values on the tape of their inputs, so that gradients stay true; of plain inputs plain results. Rows, columns, tokens, layers, experts and positions count from 0, negative ones from the end. x.rank, x.shape (a list), x.dtype ("f32" or "i32") and #x (rows) tell its form. A value of a step that is over is an error when it is used; x:copy() keeps its numbers.
---@class Tensor
local Tensor = {}

---The number at these indices, counted from 0, negative ones from the end. One index into a tensor of two dimensions gives that row, [1,n], on the same tape. x[i] is x:at(i).
---```lua
---local x = lathe.tensor { { 1, 2 }, { 3, 4 } }
---assert(x:at(1, 0) == 3 and x[-1]:at(0, 1) == 4)
---```
---@param i integer
---@param ... integer
---@return number | Tensor
function Tensor:at(i, ...) end

---The only number of a tensor that holds one.
---```lua
---assert(lathe.tensor { 7 }:item() == 7)
---```
---@return number
function Tensor:item() end

---The numbers as a list, of two dimensions as a list of rows (Lua's lists count from 1).
---```lua
---assert(lathe.tensor { { 1, 2 }, { 3, 4 } }:tolist()[2][1] == 3)
---```
---@return table
function Tensor:tolist() end

---The numbers alone, without tape and gradient: to keep what a hook is shown beyond its step.
---```lua
---local x = lathe.tensor { 1, 2 }
---assert(x:copy():at(1) == 2)
---```
---@return Tensor
function Tensor:copy() end

---A copy with other dimensions and the same numbers in the same order. Plain tensors only.
---```lua
---assert(lathe.tensor { 1, 2, 3, 4 }:reshape(2, 2):at(1, 0) == 3)
---```
---@param n integer
---@param ... integer
---@return Tensor
function Tensor:reshape(n, ...) end

---The largest number; not a number when one is not.
---```lua
---assert(lathe.tensor { 1, 3, 2 }:max() == 3)
---```
---@return number
function Tensor:max() end

---The smallest number; not a number when one is not.
---```lua
---assert(lathe.tensor { 1, 3, 2 }:min() == 1)
---```
---@return number
function Tensor:min() end

---The sum of all; with axis 0 that of each column, with axis 1 that of each row. A plain result: x:total() is the sum with its gradient.
---```lua
---local x = lathe.tensor { { 1, 2 }, { 3, 4 } }
---assert(x:sum() == 10 and x:sum(0):at(1) == 6)
---```
---@param axis integer?
---@return number | Tensor
function Tensor:sum(axis) end

---The mean of all, of each column (axis 0) or of each row (axis 1).
---```lua
---assert(lathe.tensor { { 1, 2 }, { 3, 4 } }:mean(1):at(0) == 1.5)
---```
---@param axis integer?
---@return number | Tensor
function Tensor:mean(axis) end

---The square root of the sum of squares.
---```lua
---assert(lathe.tensor { 3, 4 }:norm() == 5)
---```
---@return number
function Tensor:norm() end

---The standard deviation (of all there is, not of a sample).
---```lua
---assert(lathe.tensor { 1, 3 }:std() == 1)
---```
---@return number
function Tensor:std() end

---Where the largest number of a row is, counted from 0, the first of equals; of several rows a tensor of ids.
---```lua
---assert(lathe.tensor { 1, 3, 2 }:argmax() == 1)
---```
---@return integer | Tensor
function Tensor:argmax() end

---How often 0, 1, ... n-1 occur among whole numbers, such as the experts of moe.topk. [n]
---```lua
---assert(lathe.tensor { 0, 2, 2 }:histogram(3):at(2) == 2)
---```
---@param n integer
---@return Tensor
function Tensor:histogram(n) end

---A copy divided by its sum: shares of the whole.
---```lua
---assert(lathe.tensor { 1, 3 }:normalise():at(1) == 0.75)
---```
---@return Tensor
function Tensor:normalise() end

---A copy as whole numbers: ids for a hook on moe.topk or for ops that take ids. Up to 16777216.
---```lua
---assert(lathe.tensor { { 0, 1 } }:ints().dtype == "i32")
---```
---@return Tensor
function Tensor:ints() end

---The log-probability (natural) of a token under one row of logits; by its text where the logits come from a model. On a tape a value with its gradient, else a number.
---```lua
---assert(math.abs(lathe.tensor { 0, 0 }:logprob(1) + math.log(2)) < 1e-6)
---```
---@param token integer | string
---@return number | Tensor
function Tensor:logprob(token) end

---A model that can be run, looked into and changed. m.config is its config.json as a table, m.layers the number of main layers. Layers, heads, experts, tokens and positions count from 0. Texts begin with the token that the tokenizer asks for; lists of ids are taken as they are.
---@class Model
local Model = {}

---Token ids of a text; with bos the token that begins a text in front, if the tokenizer asks for one.
---```lua
---local m = lathe.open "@tiny"
---assert(m:decode(m:encode "Once") == "Once")
---```
---@param text string
---@param bos boolean?
---@return integer[]
function Model:encode(text, bos) end

---The text of token ids; invalid UTF-8 becomes U+FFFD.
---@param ids integer[]
---@return string
function Model:decode(ids) end

---The texts of the tokens one by one; they may be parts of a character.
---```lua
---assert(table.concat(lathe.open "@tiny":tokens "Once upon") == "Once upon")
---```
---@param text string | integer[]
---@return string[]
function Model:tokens(text) end

---Bytes of KV cache per token of all main layers, kept as "f32" or "bf16".
---```lua
---local m = lathe.open "@tiny"
---assert(m:kv_bytes_per_token "bf16" < m:kv_bytes_per_token())
---```
---@param dtype string?
---@return integer
function Model:kv_bytes_per_token(dtype) end

---The names of the checkpoint's tensors.
---@return string[]
function Model:names() end

---A tensor of the checkpoint as numbers, FP8 with its scales applied. A copy.
---```lua
---local m = lathe.open "@tiny"
---assert(m:tensor "model.norm.weight".shape[1] == m.config.hidden_size)
---```
---@param name string
---@return Tensor
function Model:tensor(name) end

---Calls fn(x, at) with each value whose name matches, in every forward of this model from now on: x is the value on the tape, at.name, at.layer and at.position (of its first row) say where. What fn returns takes the place of x: a tensor of the same shape made by ops from what it got, so that gradients stay true; nil leaves x. Returns an id for unhook. Names are in lathe-probes(7).
---```lua
---local m = lathe.open "@tiny"
---m:hook("layers.2.attn.out", function(x, at) return x * 0 end)
---m:run "Once"
---m:unhook()
---```
---@param pattern string
---@param fn function
---@return integer
function Model:hook(pattern, fn) end

---Takes a hook away, without an id all of them.
---@param id integer?
function Model:unhook(id) end

---Reads a text in one forward and returns the values watched, by name, as tensors with a row for each position. Longer texts than window (as a rule the model's context) are read in pieces, each from its first position on; a model that was trained on short texts reads long ones badly, so give it the length that it was trained on (`seq` of its configuration: 512 for @domains, 160 for @reason): r["layers.3.moe.topk"]. With them: r.logits [T,V] (logits = false leaves them out), r.logprobs (of each token given those before it, natural; nan where nothing foretells it: for the first, and the first of each piece), r.loss (their mean, negated, nat per token), r.ppl, r.ids.
---```lua
---local m = lathe.open "@tiny"
---local r = m:run("Once upon a time", { watch = "layers.*.moe.topk" })
---print(r.loss, r["layers.3.moe.topk"]:histogram(m.config.n_routed_experts):normalise())
---```
---@param text string | integer[]
---@param options { watch: string | string[], logits: boolean?, window: integer? }?
---@return table
function Model:run(text, options) end

---Goes on with a text. Options: n (128), temperature (0.8; 0 is greedy), top_p, top_k, min_p, seed (lathe.seed), mtp (true, false, "auto": never changes the text), logprobs (alternatives per token, 0 to 32), attention, ignore_eos. Returns text (what is new), ids, prompt, prompt_ids, logprobs and entropy (a number a token, nat), alternatives (of each token a list of { id, text, logprob }), finish ("eos", "length", "context", "stopped"), stats, model.
---```lua
---local m = lathe.open "@tiny"
---local g = m:generate("Once", { n = 8, temperature = 0, logprobs = 3 })
---print(g.text, g.alternatives[1][1].text)
---```
---@param text string | integer[]
---@param options table?
---@return table
function Model:generate(text, options) end

---From now on m:generate asks fn(s) after each token, and ends when it returns true (finish is "stopped"). s[pattern] is a tensor of all values that match in the last forward, end to end; s.token, s.position, s.entropy, s.logprob are those of the token. Without fn: no condition.
---```lua
---local m = lathe.open "@tiny"
---m:stop_when(function(s) return s["layers.*.moe.entropy"]:min() < 0.1 end)
---print(m:generate("Once", { n = 8 }).finish)
---```
---@param fn function?
function Model:stop_when(fn) end

---Another view of this model with interventions. The weights are shared, this model stays as it is, and what it has of changes and hooks the view has too; dropping the view undoes it. ban, force = { layer =, expert = }; scale_expert = { layer =, expert =, scale = }; ablate = { layer =, head = } (the layer left out: every layer; expert and head may be lists; a list of such tables does several); k experts per token, groups kept, bias = false, route_scale; patch = { name =, from = tensor } (row i takes the place of position i); steer = { name =, vector =, scale = } (added to every row); recipe = "bf16" or of lathe.recipe; attention = "naive".
---```lua
---local m = lathe.open "@tiny"
---local v = m:with { ban = { layer = 3, expert = 6 }, k = 2 }
---print(v:generate("Once", { n = 4, temperature = 0 }).text)
---```
---@param changes table
---@return Model
function Model:with(changes) end

---Asks n (100) problems of a task (add, mult2, chain6, ...; see lathe-eval(1)) k (1) times each and judges the answers: pass1, pass[k] and maj[k] as shares. temperature is 0 for k = 1 and else 1.
---```lua
---local m = lathe.open "@reason"
---print(m:eval("mult2", { n = 4 }).pass1)
---```
---@param task string
---@param options { n: integer?, k: integer?, temperature: number?, seed: integer?, level: integer? }?
---@return table
function Model:eval(task, options) end

---Records the forward of a text, with this model's changes and hooks, for gradients. The usual values are kept; by-products such as layers.*.attn.probs only when watched. Attention is in its naive form.
---@param text string | integer[]
---@param options { watch: string | string[] }?
---@return Tape
function Model:tape(text, options) end

---A text's forward, recorded. t.logits and t["layers.2.attn.out"] are its values, tensors that can be computed with further: ops on them are recorded too. It lives as long as something of it is held.
---@class Tape
local Tape = {}

---The derivative of y, one number of this tape, with respect to all values whose name matches: a table of plain tensors by name, each of its value's shape. With a tensor of this tape instead of a pattern: that one's gradient. Each call begins afresh. A choice of experts is a constant for the gradient.
---```lua
---local m = lathe.open "@tiny"
---local t = m:tape "3 + 4 ="
---local g = t:grad(t.logits:at(-1):logprob(7), "layers.*.resid_post")
---print(g["layers.2.resid_post"]:norm())
---```
---@param y Tensor
---@param x string | Tensor
---@return table | Tensor
function Tape:grad(y, x) end

---The names of the values on the tape, in the order of computing.
---@return string[]
function Tape:names() end

---What lathe.compare returns: a table that prints itself.
---@class Comparison
local Comparison = {}

---What lathe.diff returns: a table that prints itself.
---@class Difference
local Difference = {}

---The attention and router of a script that a model was made with.
---@class Parts
local Parts = {}

---A training run. Its series, a value a step: run.loss (all terms), run.main_loss (cross entropy), mtp_loss, aux_loss, lr, grad_norm, maxvio, dead_experts, bias_drift, tok_per_s, tokens; and run.held_out where it was measured. run.steps: steps made; run.seconds: time in them; run.parameters: trained numbers; run.name, run.out.
---@class Run
local Run = {}

---Makes n steps (default 1) and returns the run. An error in the data's functions or in a module of the script ends it with the script's line.
---```lua
---local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = "add2", steps = 4, batch = 2, seq = 32 }
---print(run:step(2).loss:last() > 0)
---```
---@param n integer?
---@return Run
function Run:step(n) end

---Makes the steps that are left. With `out`, then writes the last checkpoint and OUT/model.
---```lua
---local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = "add2", steps = 4, batch = 2, seq = 32 }
---print(run:finish().steps)
---```
---@return Run
function Run:finish() end

---Changes a setting while the run is going on: lr, gamma, balance, ...; `lathe help train` says which can.
---```lua
---local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = "add2", steps = 4, batch = 2, seq = 32 }
---run:step():set("lr", 1e-4):step()
---print(run.lr:last())
---```
---@param name string
---@param value any
---@return Run
function Run:set(name, value) end

---Asks held-out problems: { n = 200, k = 1, temperature = 1, seed = 1, exam = "add2" or { ask =, judge = } }; without exam the run's own. Returns pass1, n, k, passk and majk by k, by_level.
---```lua
---local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = "add2", steps = 4, batch = 2, seq = 32 }
---print(run:step():eval { exam = "add2", n = 4 }.pass1)
---```
---@param options table?
---@return table
function Run:eval(options) end

---The mean loss of the first eval_rows held-out rows, nat a token.
---```lua
---local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = "add2", steps = 4, batch = 2, seq = 32 }
---print(run:held_out_loss() > 0)
---```
---@return number
function Run:held_out_loss() end

---How many tokens of the last step each expert of a layer got.
---```lua
---local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = "add2", steps = 4, batch = 2, seq = 32 }
---print(#run:step():loads(1))
---```
---@param layer integer
---@return integer[]
function Run:loads(layer) end

---The first held-out prompt and the n tokens (default 64) that the model goes on with, greedily.
---```lua
---local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = "add2", steps = 4, batch = 2, seq = 32 }
---print(#run:sample(4) > 0)
---```
---@param n integer?
---@return string
function Run:sample(n) end

---A model on the run's weights: it sees them as they are each time it runs. run:checkpoint() is another name.
---```lua
---local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = "add2", steps = 4, batch = 2, seq = 32 }
---print(#run:step():model():generate("a1+1=", { n = 4 }).text > 0)
---```
---@return Model
function Run:model() end

---The same as run:model().
---@return Model
function Run:checkpoint() end

---Writes the model as it is now to DIR/model below --out, in BF16 with its tokenizer, and returns that folder.
---```lua
---local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = "add2", steps = 4, batch = 2, seq = 32 }
---print(run:step():save("small"))
---```
---@param dir string
---@return string
function Run:save(dir) end

---Of everything a checkpoint keeps, 16 hexadecimal digits: two runs with the same hash go on alike.
---```lua
---local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = "add2", steps = 4, batch = 2, seq = 32 }
---print(#run:hash())
---```
---@return string
function Run:hash() end

---A run of reinforcement learning. Its series, a value an iteration: run.reward, accuracy, answered and ended (shares of the drawn answers), length (tokens), kl, entropy, clip, clip_low, clip_high, masked, degenerate (share of groups with equal rewards), used, grad_norm, lr, value_loss, ln_r, ln_r_first, tok_per_s, iteration_s, rollout_s, reward_s, update_s; and held_out with held_out_length where they were measured. What an algorithm does not have, and a mean over nothing, is left out. run.steps: iterations made; run.seconds: time in them; run.parameters: trained numbers; run.name, run.out.
---@class RlRun
local RlRun = {}

---Makes n iterations (default 1) and returns the run. An error of the reward ends it with the script's line.
---```lua
---local run = lathe.rl_run { model = { hidden_size = 32, num_hidden_layers = 2 }, task = "add2", prompts = 2, group = 2, max_new = 8, iterations = 2 }
---print(run:step().reward:last())
---```
---@param n integer?
---@return RlRun
function RlRun:step(n) end

---Makes the iterations that are left. With `out`, then writes the last checkpoint and OUT/model.
---```lua
---local run = lathe.rl_run { model = { hidden_size = 32, num_hidden_layers = 2 }, task = "add2", prompts = 2, group = 2, max_new = 8, iterations = 2 }
---print(run:finish().steps)
---```
---@return RlRun
function RlRun:finish() end

---Changes a setting while the run is going on; `lathe help rl` and `lathe help train` say which can.
---```lua
---local run = lathe.rl_run { model = { hidden_size = 32, num_hidden_layers = 2 }, task = "add2", prompts = 2, group = 2, max_new = 8, iterations = 2 }
---run:set("kl", 0.01):step()
---print(run.kl:last())
---```
---@param name string
---@param value any
---@return RlRun
function RlRun:set(name, value) end

---The answers to the i-th problem of the last iteration (default 1): a list of { text, reward, advantage, length, right, answered, ended }, with the field prompt. Where advantages differ from token to token it is their mean.
---```lua
---local run = lathe.rl_run { model = { hidden_size = 32, num_hidden_layers = 2 }, task = "add2", prompts = 2, group = 2, max_new = 8, iterations = 2 }
---for _, answer in ipairs(run:step():group(2)) do print(answer.reward, answer.advantage, answer.length) end
---```
---@param i integer?
---@return table
function RlRun:group(i) end

---Asks held-out problems: { n = 200, k = 1, temperature = 1, seed = 1, exam = "add2" or { ask =, judge = } }; without exam the run's own. Returns pass1, n, k, passk and majk by k, by_level.
---```lua
---local run = lathe.rl_run { model = { hidden_size = 32, num_hidden_layers = 2 }, task = "add2", prompts = 2, group = 2, max_new = 8, iterations = 2 }
---print(run:step():eval { n = 4 }.pass1)
---```
---@param options table?
---@return table
function RlRun:eval(options) end

---A model on the run's weights: it sees them as they are each time it runs. run:checkpoint() is another name.
---```lua
---local run = lathe.rl_run { model = { hidden_size = 32, num_hidden_layers = 2 }, task = "add2", prompts = 2, group = 2, max_new = 8, iterations = 2 }
---print(#run:step():model():generate("a1+1=", { n = 4 }).text >= 0)
---```
---@return Model
function RlRun:model() end

---The same as run:model().
---@return Model
function RlRun:checkpoint() end

---Writes the model as it is now to DIR/model below --out, in BF16 with its tokenizer, and returns that folder.
---```lua
---local run = lathe.rl_run { model = { hidden_size = 32, num_hidden_layers = 2 }, task = "add2", prompts = 2, group = 2, max_new = 8, iterations = 2 }
---print(run:step():save("small-rl"))
---```
---@param dir string
---@return string
function RlRun:save(dir) end

---Of everything a checkpoint keeps, 16 hexadecimal digits: two runs with the same hash go on alike.
---```lua
---local run = lathe.rl_run { model = { hidden_size = 32, num_hidden_layers = 2 }, task = "add2", prompts = 2, group = 2, max_new = 8, iterations = 2 }
---print(#run:hash())
---```
---@return string
function RlRun:hash() end

---What a run measured, in order: run.loss. s[1] is the first value, s[-1] the newest, #s how many there are.
---@class Series
local Series = {}

---The newest value; nil when there is none.
---@return number?
function Series:last() end

---The mean of the last n values (default: of all); nil when there is none.
---@param n integer?
---@return number?
function Series:mean(n) end

---The least value and its step.
---@return number?
---@return integer?
function Series:min() end

---The greatest value and its step.
---@return number?
---@return integer?
function Series:max() end

---All values as a list.
---@return number[]
function Series:values() end

---The step of each value as a list.
---@return integer[]
function Series:steps() end

---@class Plot
local Plot = {}

---The plot as a text of one format: "txt", "svg", "png", "csv" or "json". width and height are in characters.
---```lua
---print(lathe.plot.bars({ a = 1, b = 2 }):text "csv")
---```
---@param format string
---@return string
function Plot:text(format) end

---Writes the plot below --out; the name's ending says as what: .svg, .png (where built with cairo), .txt, .csv or .json.
---```lua
---lathe.plot.line({ 3, 2, 1.5 }, { title = "loss" }):save "loss.csv"
---```
---@param name string
---@return string
function Plot:save(name) end

---Shows the plot on standard output, in the terminal's colours, as text elsewhere.
---```lua
---lathe.plot.bars({ a = 1, b = 2 }):print()
---```
function Plot:print() end

---@class Study
local Study = {}

---The heads of the columns; the first column names the rows. A head may be { "loss", digits = 3 }.
---```lua
---lathe.study.new("x"):columns { "rule", { "loss", digits = 4 } }:row { "bias", 2.5 }:print()
---```
---@param heads table
---@return Study
function Study:columns(heads) end

---Adds a measurement: the row's name, then its values. A row that is measured again (another seed) is shown as mean and spread.
---```lua
---lathe.study.new("x"):columns { "rule", "loss" }:row { "bias", 2.5 }:row { "bias", 2.7 }:print()
---```
---@param values table
---@return Study
function Study:row(values) end

---Adds a row that others reported: where it stands, and its values as in row (nil where there is none). It is marked as quoted, and is never mixed with what was measured here.
---```lua
---lathe.study.new("x"):columns { "model", "cache" }:row { "ours", 0.3 }:quote("V2 paper, table 1", { "DeepSeek-V2", 0.4 }):print()
---```
---@param source string
---@param values table
---@return Study
function Study:quote(source, values) end

---Adds a sentence below the table: what was seen, and what this scale does not show.
---```lua
---lathe.study.new("x"):columns { "a" }:row { "b" }:note("One seed: a tendency, not a proof."):print()
---```
---@param text string
---@return Study
function Study:note(text) end

---Keeps a curve, a Series or a list, for study:plot and study:save.
---```lua
---lathe.study.new("x"):curve("bias", { 4, 3, 2 }):plot():print()
---```
---@param name string
---@param series any
---@return Study
function Study:curve(name, series) end

---Calls f(seed) for n seeds, from --seed (else 1) on; one when the script is run with --quick.
---```lua
---lathe.study.new("x"):columns { "a", "b" }:seeds(3, function(seed) print(seed) end)
---```
---@param n integer
---@param f function
---@return Study
function Study:seeds(n, f) end

---The table as a text of one format: "txt", "md", "csv" (a line for every measurement and quotation) or "json" (with the curves).
---```lua
---print(lathe.study.new("x"):columns { "rule", "loss" }:row { "bias", 2.5 }:text "csv")
---```
---@param format string?
---@return string
function Study:text(format) end

---The mean of a row's column over its seeds, the spread (standard deviation; nil for one seed), and how many there are.
---```lua
---local s = lathe.study.new("x"):columns { "rule", "loss" }:row { "bias", 2 }:row { "bias", 4 }
---print(s:mean("bias", "loss"))
---```
---@param row string
---@param head string
---@return number?
---@return number?
---@return integer?
function Study:mean(row, head) end

---Shows the table.
---```lua
---lathe.study.new("x"):columns { "rule", "loss" }:row { "bias", 2.5 }:print()
---```
function Study:print() end

---The curves as a plot (options as in plot.line).
---```lua
---lathe.study.new("x"):curve("a", { 3, 2 }):curve("b", { 3, 1 }):plot { title = "loss" }:print()
---```
---@param options table?
---@return Plot
function Study:plot(options) end

---Writes NAME.txt, NAME.csv and NAME.json below --out, and the curves, when there are any, as NAME.svg (as NAME-curves.txt where lathe was built without cairo). Returns the study.
---```lua
---lathe.study.new("x"):columns { "rule", "loss" }:row { "bias", 2.5 }:curve("bias", { 3, 2.5 }):save "balance"
---```
---@param name string
---@return Study
function Study:save(name) end

return lathe
