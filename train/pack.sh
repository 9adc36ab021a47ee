#!/bin/bash
# Makes what a rented GPU gets: code, word vectors, windows of train and dev, and a teacher to go on with where one is given.
#   DATA=…/data WORK=work OUT=../.gpu [TEACHER=work/run/teacher8.pt] [HOLD=--hold] [SCALE=1.8] [SEEDS="47 48"] ./pack.sh
set -e
cd "$(dirname "$0")"
W=${WORK:-work}
python3 prepare.py --data $DATA/train --readme $DATA/README.md --dev $DATA/dev --corpus corpus $HOLD --out $W/rows.jsonl | tee $W/prepare.log | tail -2
python3 augment.py --rows $W/rows.jsonl --pieces $W/base/pieces.json --out $W/train --scale ${SCALE:-1.8} --seed ${SEEDS:-47 48} | tee $W/augment.log | grep windows
if [ -f $W/sieve.npz ]; then python3 sieve.py --known $W/sieve.npz --train $W/train.npz --scores $W/train-sieve.npz; fi
python3 augment.py --dev $DATA/dev --pieces $W/base/pieces.json --out $W/dev > $W/dev.log
rm -rf "$OUT" && mkdir -p "$OUT"
cp *.py gpu.sh "$OUT/"
if [ -n "$TEACHER" ]; then
  # A teacher has its own layers: only the words of the base model travel.
  python3 -c "
import numpy as np, sys
z = np.load(sys.argv[1])
np.savez(sys.argv[2], **{k: z[k] for k in z.files if not (k[0] == 'l' and k[1].isdigit())})" $W/base/base.npz "$OUT/base.npz"
  cp "$TEACHER" "$OUT/teacher8.pt"
else
  cp $W/base/base.npz "$OUT/"
fi
for f in train dev train-held train-sieve; do
  if [ -f $W/$f.npz ]; then xz -k -T1 -9 -c $W/$f.npz > "$OUT/$f.npz.xz"; fi
done
du -sh "$OUT"
