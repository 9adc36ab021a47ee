#!/usr/bin/env bash
# What each part of the data buys: a glance taught without it, the same steps and seed, on one core.
#   train/ablate.sh WORK STEPS    # WORK holds base/base.npz, train.npz, sieve-train.npz, dev.npz
set -euo pipefail
cd "$(dirname "$0")"
work=$1 steps=$2
export OMP_NUM_THREADS=1
part() {
    python glance.py --base "$work/base/base.npz" --train "$work/train.npz" --sieve "$work/sieve-train.npz" --dev "$work/dev.npz" \
        --steps "$steps" --out "$work/ablated.pt" --without "$@" | tail -n 1
}
part
part corpus_                                      # our texts as they are written
part made_injection made_hijack made_pasted       # our orders composed into hosts
part made_harmless made_triggered made_wish       # their harmless counterparts
part composed_                                    # compositions from others' templates
part jailbreak_llms made_persona made_jailbreak made_game made_role bigpromptlib_jailbreaks sap200
part obfuscated_
part spamassassin_train oss_code_docs_train xquad # harmless mails, code, documents
part pkg_                                         # passages of packages
