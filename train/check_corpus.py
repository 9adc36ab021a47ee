"""Checks corpus files: valid rows, a harmless twin for every attack, no near-duplicates; prints what they hold. python check_corpus.py corpus/*.jsonl"""
import sys, json, re, collections
LABELS={"injection","jailbreak","extraction","benign"}; CH={"user","document","tool_result","email","code","system"}
STOCK=re.compile(r"\b(ignor|disregard|previous|instruction|system prompt|overrid|jailbreak|dan\b|pretend|bypass|forget)",re.I)
rows=[];bad=0
for f in sys.argv[1:]:
    for n,l in enumerate(open(f,encoding="utf-8"),1):
        if not l.strip(): continue
        try: r=json.loads(l)
        except Exception as e: print(f,n,"bad JSON:",e); bad+=1; continue
        for k in("id","text","label","channel","lang","family","pair"):
            if k not in r or not isinstance(r[k],str) or not r[k].strip(): print(f,n,"missing",k); bad+=1
        if r.get("label") not in LABELS: print(f,n,"label",r.get("label")); bad+=1
        if r.get("channel") not in CH: print(f,n,"channel",r.get("channel")); bad+=1
        r["_w"]=f"{f}:{n}"; rows.append(r)
ids=collections.Counter(r.get("id") for r in rows)
for i,c in ids.items():
    if c>1: print("id twice:",i); bad+=1
pairs=collections.defaultdict(list)
for r in rows: pairs[r.get("pair")].append(r)
for p,rs in pairs.items():
    ls={r.get("label") for r in rs}
    if ls<=LABELS-{"benign"}: print("no twin:",p); bad+=1
def grams(t): t=re.sub(r"\s+"," ",t.lower()); return {t[i:i+8] for i in range(max(1,len(t)-7))}
seen=[]
inv=collections.defaultdict(list)
for r in rows:
    if r.get("label")=="benign": continue
    g=grams(r["text"]); c=collections.Counter()
    for x in g:
        for j in inv[x]: c[j]+=1
    for j,k in c.most_common(1):
        o=seen[j]
        if k/len(g|o[1])>0.35: print("near-duplicate:",r["_w"],o[0]["_w"],round(k/len(g|o[1]),2)); bad+=1
    for x in g: inv[x].append(len(seen))
    seen.append((r,g))
att=[r for r in rows if r.get("label")!="benign"]
openers=collections.Counter(" ".join(r["text"].lower().split()[:3]) for r in att)
print("openers used thrice or more:",[o for o in openers.most_common(8) if o[1]>2])
print(len(rows),"rows",dict(collections.Counter(r.get("label") for r in rows)),dict(collections.Counter(r.get("channel") for r in rows)))
print("langs",dict(collections.Counter(r.get("lang") for r in rows)))
if att:
    print("attacks without stock words: %.0f %%"%(100*sum(not STOCK.search(r["text"]) for r in att)/len(att)),
      "over 80 words (or 250 chars of CJK): %.0f %%"%(100*sum(len(r["text"].split())>80 or (r["lang"] in("zh","ja","th","ko") and len(r["text"])>200) for r in att)/len(att)))
print("problems:",bad)
