#!/bin/bash
# Two commands for a rented GPU, run beside what pack.sh made, for fixed times. $OUT gets at most eight files of 16 MB.
#   bash gpu.sh encoder    teacher, what it says of every window, student distilled from it, figures
#   bash gpu.sh glance     the stage between, from what the first command left in $WORK
# S="seconds of the teacher and of the student", G=seconds of the glance, R=rows of 128 pieces in a batch, LR="teacher's and student's", X=more for train.py
# An H100 does about 0.9 million pieces a second of the teacher.
cd "$(dirname "$0")" && export PYTHONUNBUFFERED=1 WORK
: ${S:=245 215} ${G:=135} ${R:=384} ${LR:=2e-4 4e-4} ${WORK:=/var/tmp/work}
mkdir -p $WORK
if [ "$1" = glance ]; then
  for h in 192 128; do
    python3 glance.py --base base.npz --train $WORK/train.npz --sieve $WORK/train-sieve.npz --told $WORK/run/told.npz --dev $WORK/dev.npz --hidden $h --layers 2 \
      --pieces 32768 --lr 2e-3 --seconds $G --out $OUT/glance-$h.pt > $OUT/glance-$h.log 2>&1 &
  done
  wait
  tail -n 4 $OUT/*.log
  exit
fi
cp -r . $WORK/gpu
for f in *.xz; do xz -dc "$f" > $WORK/"${f%.xz}" & done; wait
T=
[ -f teacher8.pt ] && T="--teacher teacher8.pt"
E="--base base.npz --dev $WORK/dev.npz"; [ -f $WORK/train-held.npz ] && E="$E --held $WORK/train-held.npz"
python3 train.py both --base base.npz --train $WORK/train.npz $T --out $WORK/run --seconds $S --rows $R --lr $LR $X 2>&1 | tee $WORK/train.log &
tr=$!
# The teacher's figures and its eight-bit copy while the student trains.
for i in $(seq 600); do [ -f $WORK/run/told.npz ] && break; kill -0 $tr 2>/dev/null || break; sleep 1; done
sleep 2
cp $WORK/run/told.npz $OUT/
python3 - <<'P'
import os, torch, model as M
w = os.environ.get("WORK", "/var/tmp/work")
s = torch.load(w + "/run/teacher.pt", map_location="cpu")
s["model"] = {k: M.closed(v) for k, v in s["model"].items()}
torch.save(s, w + "/teacher8.new")
P
split -b 15M $WORK/teacher8.new $OUT/teacher8.
python3 evaluate.py --model $WORK/run/teacher.pt $E > $WORK/teacher-eval.log 2>&1
wait $tr
python3 - <<'P'
import os, torch
w = os.environ.get("WORK", "/var/tmp/work")
s = torch.load(w + "/run/student.pt", map_location="cpu")
s["model"] = {k: v.half() for k, v in s["model"].items()}
torch.save(s, w + "/student16.pt")
P
split -b 15M $WORK/student16.pt $OUT/student16.
python3 evaluate.py --model $WORK/run/student.pt $E > $WORK/student-eval.log 2>&1
cat $WORK/train.log $WORK/teacher-eval.log $WORK/student-eval.log > $OUT/all.log
tail -n 5 $WORK/train.log; grep -A1 == $WORK/teacher-eval.log $WORK/student-eval.log; grep held $WORK/*-eval.log
