#!/bin/bash
# One command for a rented GPU, run beside what pack.sh made: teacher, what it says of every window, student, figures, all for fixed times.
#   S="seconds of the teacher and of the student", R=rows of 128 pieces in a batch, LR="teacher's and student's"
# An H100 does about 0.9 million pieces a second of the teacher, two or three times as many of the student. $OUT gets at most eight files.
cd "$(dirname "$0")" && export PYTHONUNBUFFERED=1
for f in *.xz; do [ -f "$f" ] && xz -dkf "$f" & done; wait
T=; : ${S:=165 165} ${LR:=2e-4 5e-4}
[ -f teacher8.pt ] && T="--teacher teacher8.pt"
E="--base base.npz --dev dev.npz"; [ -f train-held.npz ] && E="$E --held train-held.npz"
python3 train.py both --base base.npz --train train.npz $T --out run --seconds $S --rows ${R:-384} --lr $LR $X 2>&1 | tee train.log &
tr=$!
# The teacher's figures and its eight-bit copy while the student trains.
for i in $(seq 600); do [ -f run/told.npz ] && break; kill -0 $tr 2>/dev/null || break; sleep 1; done
cp run/told.npz $OUT/
python3 - <<'P'
import torch, model as M
s = torch.load("run/teacher.pt", map_location="cpu")
s["model"] = {k: M.closed(v) for k, v in s["model"].items()}
torch.save(s, "teacher8.new")
P
split -b 15M teacher8.new $OUT/teacher8.
python3 evaluate.py --model run/teacher.pt $E > teacher-eval.log 2>&1
wait $tr
python3 - <<'P'
import os, torch
s = torch.load("run/student.pt", map_location="cpu")
s["model"] = {k: v.half() for k, v in s["model"].items()}
torch.save(s, os.environ["OUT"] + "/student16.pt")
P
python3 evaluate.py --model run/student.pt $E > student-eval.log 2>&1
cat train.log teacher-eval.log student-eval.log > $OUT/all.log
tail -n 5 train.log; grep -A1 == teacher-eval.log student-eval.log
