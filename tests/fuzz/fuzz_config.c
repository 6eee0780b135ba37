/* fuzz_config.c - any bytes as config.json. What is accepted is within the limits and can be counted
 * without overflow. */
#include "fuzz.h"
#include "model/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Err e = { 0 };
	Config c;
	bool ok = config_parse((const char *)data, size, "input", &c, &e);
	FUZZ_CHECK(ok == (e.code == 0));
	if (!ok)
		return 0;
	FUZZ_CHECK(c.num_hidden_layers >= 1 && c.num_hidden_layers <= CONFIG_LAYERS_MAX &&
		c.hidden_size <= CONFIG_HIDDEN_MAX);
	FUZZ_CHECK(c.n_group >= 1 && c.topk_group >= 1 && c.qk_rope_head_dim % 2 == 0 && c.n_eos >= 0 &&
		c.n_eos <= CONFIG_EOS_MAX);
	FUZZ_CHECK(c.n_routed_experts == 0 ||
		(c.n_routed_experts % c.n_group == 0 && c.num_experts_per_tok <= c.n_routed_experts));
	ParamCount p = config_params(&c);
	KvCount n = config_kv(&c);
	FUZZ_CHECK(p.total >= p.active && p.active > 0 && p.mtp >= 0 && n.mla > 0 && n.mha >= n.gqa8 &&
		n.gqa8 >= n.mqa);
	return 0;
}
