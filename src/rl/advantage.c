/* advantage.c - see advantage.h. */
#include "rl/advantage.h"
#include <math.h>

#define STD_FLOOR 1e-4

typedef struct Group { double sum, square; int n; bool equal; } Group;

static Group group_sum(const double *reward, const int64_t *group, int n, int64_t of)
{
	Group g = { .equal = true };
	double first = 0;
	for (int i = 0; i < n; i++) {
		if (group[i] != of)
			continue;
		first = g.n ? first : reward[i];
		g.equal &= reward[i] == first;
		g.sum += reward[i];
		g.n++;
	}
	for (int i = 0; i < n; i++) {
		double d = reward[i] - g.sum / g.n;
		g.square += group[i] == of ? d * d : 0;
	}
	return g;
}

static double advantage_of(const Group *g, double reward, RlStd std)
{
	double mean = g->sum / g->n;
	if (g->equal)
		return 0;
	switch (std) {
	case RL_STD_POPULATION: return (reward - mean) / (sqrt(g->square / g->n) + STD_FLOOR);
	case RL_STD_SAMPLE: return (reward - mean) / (sqrt(g->square / (g->n - 1)) + STD_FLOOR);
	case RL_STD_LEAVE_ONE_OUT: return reward - (g->sum - reward) / (g->n - 1);
	case RL_STD_NONE: break;
	}
	return reward - mean;
}

static bool group_is_new(const int64_t *group, int i)
{
	for (int k = 0; k < i; k++)
		if (group[k] == group[i])
			return false;
	return true;
}

int rl_group_advantages(const double *reward, const int64_t *group, int n, RlStd std, double *advantage, int *groups)
{
	int equal = 0, all = 0;
	for (int i = 0; i < n; i++) {
		if (i > 0 && group[i] == group[i - 1] ? true : !group_is_new(group, i))
			continue;
		Group g = group_sum(reward, group, n, group[i]);
		equal += g.equal;
		all++;
		for (int k = i; k < n; k++)
			if (group[k] == group[i])
				advantage[k] = advantage_of(&g, reward[k], std);
	}
	if (groups)
		*groups = all;
	return equal;
}

void rl_step_advantages(const double *score, const double *end, const int64_t *group, int n, int T, double *advantage)
{
	for (int i = 0; i < n; i++) {
		double sum = 0, square = 0, count = 0, later = 0;
		for (int k = 0; k < n * T; k++)
			if (group[k / T] == group[i] && end[k] > 0) {
				sum += score[k];
				count++;
			}
		for (int k = 0; k < n * T; k++)
			if (group[k / T] == group[i] && end[k] > 0)
				square += (score[k] - sum / count) * (score[k] - sum / count);
		double std = count > 0 ? sqrt(square / count) + STD_FLOOR : 1;
		for (int t = T - 1; t >= 0; t--) {
			int at = i * T + t;
			later += end[at] > 0 ? (score[at] - sum / count) / std : 0;
			advantage[at] = later;
		}
	}
}

void rl_gae(const double *reward, const double *value, int64_t n, double discount, double lambda, double *advantage, double *ret)
{
	double next = 0, carried = 0;
	for (int64_t t = n - 1; t >= 0; t--) {
		carried = reward[t] + discount * next - value[t] + discount * lambda * carried;
		next = value[t];
		advantage[t] = carried;
		ret[t] = carried + value[t];
	}
}

void rl_whiten(double *advantage, int64_t n)
{
	double sum = 0, square = 0;
	for (int64_t i = 0; i < n; i++)
		sum += advantage[i];
	for (int64_t i = 0; i < n; i++)
		square += (advantage[i] - sum / (double)n) * (advantage[i] - sum / (double)n);
	if (n < 2)
		return;
	double inv = 1 / sqrt(square / (double)(n - 1) + 1e-8);
	for (int64_t i = 0; i < n; i++)
		advantage[i] = (advantage[i] - sum / (double)n) * inv;
}
