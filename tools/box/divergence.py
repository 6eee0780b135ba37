#!/usr/bin/python3
"""How differently the four domains use a model's experts: Jensen-Shannon divergence by layer, in nats.

  python3 tools/box/divergence.py ./lathe @domains

Two prompts a domain, 150 tokens each; loads as `lathe scene router --as json` tells them.
"""
import json
import math
import subprocess
import sys

L,M=sys.argv[1:3]
prompts={'stories':["Once upon a time","One day "],'code':["def ","for i in "],'arithmetic':["17 + 26 =","8 * 7 ="],'chinese':["昨天","早上"]}
use={}
for d,ps in prompts.items():
    tot=None
    for p in ps:
        r=json.loads(subprocess.run([L,'scene','router',M,'-p',p,'-n','150','--as','json','--size','200x60'],capture_output=True,text=True).stdout)
        pane=[x for x in r['panes'] if x['title'].startswith('load, share')][0]
        rows = pane['values']
        if tot is None: tot=[[0]*len(a) for a in rows]
        for i,a in enumerate(rows):
            for j,x in enumerate(a): tot[i][j]+=x or 0
    use[d]=[[x/sum(a) for x in a] for a in tot]
H=lambda p:-sum(x*math.log(x) for x in p if x>0)
n=len(next(iter(use.values())))
for l in range(n):
    ps=[use[d][l] for d in use]; m=[sum(c)/len(ps) for c in zip(*ps)]
    print('layer',l+1,'JS %.3f nats'%(H(m)-sum(map(H,ps))/len(ps)))
for d in use:
    print(d, 'top experts by layer', [sorted(range(16),key=lambda i:-a[i])[:3] for a in use[d]])
