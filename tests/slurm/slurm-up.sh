#!/usr/bin/env bash
# slurm-up.sh - a real SLURM cluster on ONE machine, without systemd, for tests.
#
#   slurm-up.sh [up]        install + configure + start; returns when jobs can be submitted
#   slurm-up.sh down        cancel jobs, stop every daemon this script started (by pid file)
#   slurm-up.sh wipe        down, then delete all state (database, spool, logs, config); the packages stay, and with
#                           systemd their units may start at the next boot: apt-get purge slurmd slurmctld slurmdbd
#                           mariadb-server munge, where nothing else needs them
#   slurm-up.sh status      daemons, nodes, partitions; exit 0 only if all is well
#   slurm-up.sh selftest    one cpu job, one gpu job, one wrong request; exit 0 only if as expected
#   slurm-up.sh kill-node N   SIGKILL slurmd of virtual node N and its running steps (fault injection)
#   slurm-up.sh start-node N  start slurmd of virtual node N again
#   slurm-up.sh stop-controller   stop slurmctld and slurmdbd, as for maintenance; `up` starts them again
#
# What comes up (everything on 127.0.0.1):
#   munged -> mariadbd (unix socket only) -> slurmdbd -> slurmctld -> slurmd x N
#   partition cpu (default): virtual nodes c1..cN;  partitions gpu, urgent: node g1 with fake GPUs
#   (Gres=gpu:fake:K, device nodes that are twins of /dev/null: tracked, handed out and exported as
#   CUDA_VISIBLE_DEVICES like real ones, but there is nothing behind them).
#
# Debian 12 (slurm 22.05.8, built with --enable-multiple-slurmd).  Run as root.
# Safe to run again: each step first looks whether it is already done / running.
#
# Settings (environment):
#   SLURM_LAB_DIR    where state, logs and sockets live   (default: ictograph-slurm below TMPDIR or /tmp)
#   SLURM_LAB_CPUN   number of cpu nodes     (2)    SLURM_LAB_GPUS   fake GPUs on g1  (1)
#   SLURM_LAB_CPUS   CPUs per virtual node   (4)    SLURM_LAB_MEM    MB per node   (16000)
#   SLURM_LAB_PORT   first of the ports used (16817: ctld +0, dbd +2, slurmd +10...)
#   SLURM_LAB_CONTAIN linuxproc | cgroup     (linuxproc)  how steps are tracked/limited; with
#                    cgroup, memory limits are enforced by the kernel (state OUT_OF_MEMORY)
#   SLURM_LAB_CONF   where slurm.conf is written (/etc/slurm: then no client needs SLURM_CONF)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB=${SLURM_LAB_DIR:-${TMPDIR:-/tmp}/ictograph-slurm}
CPUN=${SLURM_LAB_CPUN:-2}; CPUS=${SLURM_LAB_CPUS:-4}; MEM=${SLURM_LAB_MEM:-16000}
GPUS=${SLURM_LAB_GPUS:-1}; PORT=${SLURM_LAB_PORT:-16817}
CONTAIN=${SLURM_LAB_CONTAIN:-linuxproc}
CONF=${SLURM_LAB_CONF:-/etc/slurm}
MARK="# written by slurm-up.sh"             # only files with this first line are overwritten
export SLURM_CONF=$CONF/slurm.conf PATH=$PATH:/usr/sbin:/sbin
RUN=$LAB/run LOG=$LAB/log
NODES=(); for i in $(seq 1 "$CPUN"); do NODES+=("c$i"); done; NODES+=(g1)

t0=$(date +%s%N)
say() { printf '[%6.1fs] %s\n' "$(( ($(date +%s%N) - t0) / 100000000 ))e-1" "$*"; }
die() { say "FAILED: $*" >&2; exit 1; }

# alive PIDFILE COMM: the pid in PIDFILE runs and is COMM (a stale pid may be someone else's;
# a zombie, where pid 1 does not reap, still has its name: it does not count)
alive() {
  local p; p=$(cat "$1" 2>/dev/null) && [ -n "$p" ] && [ "$(cat "/proc/$p/comm" 2>/dev/null)" = "$2" ] \
    && ! grep -q '^State:[[:space:]]*Z' "/proc/$p/status" 2>/dev/null
}

# SLURM's clients retry for minutes when a daemon is away: never let one run unbounded
try() { if [ "$(type -t "$1")" = file ]; then timeout 5 "$@"; else "$@"; fi; }

# wait_for SECONDS WHAT COMMAND...: poll every 0.1 s
wait_for() {
  local n=$(( $1 * 10 )) what=$2; shift 2
  while ! try "$@" >/dev/null 2>&1; do
    (( n-- > 0 )) || die "$what not ready; logs in $LOG"
    sleep 0.1
  done
}

# stop PIDFILE COMM: TERM, then KILL after 10 s; only that one process
stop() {
  alive "$1" "$2" || { rm -f "$1"; return 0; }
  local p n=100; p=$(cat "$1"); kill "$p" 2>/dev/null || true
  while alive "$1" "$2" && (( n-- > 0 )); do sleep 0.1; done
  ! alive "$1" "$2" || { kill -9 "$p" 2>/dev/null || true; n=100; }
  while alive "$1" "$2" && (( n-- > 0 )); do sleep 0.1; done
  rm -f "$1"; say "stopped $2 ($p)"
}

# put FILE OWNER MODE  (content on stdin): write FILE unless it is someone else's
put() {
  if [ -s "$1" ] && ! head -1 "$1" | grep -qF "$MARK"; then
    die "$1 exists and was not written by this script; move it away, or set SLURM_LAB_CONF"
  fi
  { echo "$MARK"; cat; } >"$1.new"; chown "$2" "$1.new"; chmod "$3" "$1.new"; mv -f "$1.new" "$1"
}

# ---------------------------------------------------------------- install
install_pkgs() {
  local want=(munge slurmctld slurmd slurm-client slurmdbd mariadb-server mariadb-client) miss=() p
  for p in "${want[@]}"; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || miss+=("$p")
  done
  (( ${#miss[@]} )) || { say "packages: already there"; return; }
  mkdir -p "$LOG"
  # policy-rc.d 101 = maintainer scripts must not start services; ours are started below. One of ours that a killed
  # script left behind is removed, too.
  if [ ! -e /usr/sbin/policy-rc.d ] || grep -qF "$MARK" /usr/sbin/policy-rc.d; then
    printf '#!/bin/sh\n%s\nexit 101\n' "$MARK" >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  # within the time that cluster.py gives, so that it is this script that ends apt
  { timeout 200 apt-get update && timeout 300 apt-get install -y --no-install-recommends "${miss[@]}"; } \
    >"$LOG/apt.log" 2>&1 </dev/null || die "apt-get, see $LOG/apt.log"
  say "packages: installed ${miss[*]}"
}

# ---------------------------------------------------------------- configure
configure() {
  local host; host=$(hostname -s)
  install -d -m 755 "$LAB" "$LOG" "$RUN" "$CONF" "$LAB/dev"
  install -d -m 755 -o slurm -g slurm "$LAB/ctld" "$LAB/run-slurm" "$LAB/log-slurm"
  install -d -m 755 -o mysql -g mysql "$LAB/mysql-run"
  install -d -m 755 -o munge -g munge "$LAB/munge-run"
  local n; for n in "${NODES[@]}"; do install -d -m 755 "$LAB/spool/$n"; done
  for n in $(seq 0 $((GPUS - 1))); do   # twins of /dev/null: must be real devices
    [ -c "$LAB/dev/fakegpu$n" ] || { rm -f "$LAB/dev/fakegpu$n"; mknod -m 666 "$LAB/dev/fakegpu$n" c 1 3; }
  done

  local track task
  if [ "$CONTAIN" = cgroup ]; then track=proctrack/cgroup task=task/cgroup
  else track=proctrack/linuxproc task=task/none; fi

  put "$CONF/slurm.conf" root:root 644 <<-CFG
	ClusterName=lab
	SlurmctldHost=$host(127.0.0.1)
	SlurmUser=slurm
	SlurmctldPort=$PORT
	AuthType=auth/munge
	CredType=cred/munge
	StateSaveLocation=$LAB/ctld
	SlurmdSpoolDir=$LAB/spool/%n
	SlurmctldPidFile=$LAB/run-slurm/slurmctld.pid
	SlurmdPidFile=$RUN/slurmd-%n.pid
	SlurmctldLogFile=$LAB/log-slurm/slurmctld.log
	SlurmdLogFile=$LOG/slurmd-%n.log
	# no cgroups, no cpu binding by default: the virtual nodes own more CPUs than the machine has
	ProctrackType=$track
	TaskPlugin=$task
	SlurmdParameters=config_overrides
	JobAcctGatherType=jobacct_gather/linux
	JobAcctGatherFrequency=task=2
	# without cgroups this is what ends a job over its --mem (polled every 2 s)
	JobAcctGatherParams=$([ "$CONTAIN" = cgroup ] && echo NoOverMemoryKill || echo OverMemoryKill)
	SelectType=select/cons_tres
	SelectTypeParameters=CR_Core_Memory
	GresTypes=gpu
	AccountingStorageType=accounting_storage/slurmdbd
	AccountingStorageHost=127.0.0.1
	AccountingStoragePort=$((PORT + 2))
	AccountingStorageTRES=gres/gpu
	AccountingStoreFlags=job_comment
	# fast reactions, for tests: dead node noticed in ~30 s (a busy machine starves a live one for 10), TERM->KILL 2 s,
	# terminated jobs stay in squeue for 600 s (longer than the 180 s that snakemake may wait between two looks)
	SlurmdTimeout=30
	SlurmctldTimeout=10
	KillWait=2
	MinJobAge=600
	OverTimeLimit=0
	ReturnToService=2
	JobRequeue=1
	SchedulerType=sched/backfill
	SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0,bf_interval=2
	MaxArraySize=1001
	MpiDefault=none
	ReconfigFlags=KeepPartState
	DefMemPerCPU=256
	$(for i in "${!NODES[@]}"; do n=${NODES[$i]}
	  echo "NodeName=$n NodeHostname=$host NodeAddr=127.0.0.1 Port=$((PORT + 10 + i)) CPUs=$CPUS RealMemory=$MEM$([ "$n" = g1 ] && echo " Gres=gpu:fake:$GPUS")"
	done)
	PartitionName=cpu Nodes=$(IFS=,; echo "${NODES[*]:0:$CPUN}") Default=YES DefaultTime=10 MaxTime=10080 State=UP
	PartitionName=gpu Nodes=g1 DefaultTime=10 MaxTime=10080 State=UP
	# whoever submits there takes the GPU from a job of partition gpu, which SLURM puts back into its queue
	PreemptType=preempt/partition_prio
	PreemptMode=REQUEUE
	PartitionName=urgent Nodes=g1 DefaultTime=10 MaxTime=10080 State=UP PriorityTier=10
	CFG
  put "$CONF/gres.conf" root:root 644 <<-CFG
	NodeName=g1 Name=gpu Type=fake File=$LAB/dev/fakegpu$( ((GPUS > 1)) && echo "[0-$((GPUS - 1))]" || echo 0)
	CFG
  put "$CONF/cgroup.conf" root:root 644 <<-CFG
	CgroupAutomount=no
	ConstrainRAMSpace=yes
	ConstrainSwapSpace=no
	CFG
  # slurmdbd insists on 0600 and SlurmUser as owner; DB login is by unix socket, so no password
  put "$CONF/slurmdbd.conf" slurm:slurm 600 <<-CFG
	AuthType=auth/munge
	DbdHost=$host
	DbdAddr=127.0.0.1
	DbdPort=$((PORT + 2))
	SlurmUser=slurm
	PidFile=$LAB/run-slurm/slurmdbd.pid
	LogFile=$LAB/log-slurm/slurmdbd.log
	StorageType=accounting_storage/mysql
	StorageHost=localhost
	StorageLoc=slurm_acct_db
	StorageUser=slurm
	CFG
  # the client library reads the socket's path from here; SLURM has no setting for it
  put "$LAB/my.cnf" root:root 644 <<-CFG
	[client]
	socket=$LAB/mysql-run/m.sock
	[mariadbd]
	datadir=$LAB/mysql
	socket=$LAB/mysql-run/m.sock
	pid-file=$LAB/mysql-run/mariadbd.pid
	log-error=$LAB/mysql-run/mariadbd.log
	skip-networking
	user=mysql
	# sizes slurmdbd asks for; durability off: throw-away data
	innodb_buffer_pool_size=128M
	innodb_log_file_size=32M
	innodb_lock_wait_timeout=900
	innodb_flush_log_at_trx_commit=0
	CFG
  say "configured $CONF/slurm.conf (nodes ${NODES[*]})"
}

# ---------------------------------------------------------------- start
sql() { mariadb --defaults-file="$LAB/my.cnf" -u root "$@"; }

# munged uses its default socket and key: slurmdbd's clients ignore AuthInfo=socket=... for
# the database connection and wait for minutes on the default socket
start_munge() {
  if timeout 5 munge -n >/dev/null 2>&1; then return; fi      # ours or the machine's own
  [ -s /etc/munge/munge.key ] || /usr/sbin/mungekey -c
  chown munge:munge /etc/munge/munge.key; chmod 400 /etc/munge/munge.key
  install -d -m 755 -o munge -g munge /run/munge
  # --force: a folder above may be writable by others on a test machine; warn instead of refuse
  runuser -u munge -- munged --force --num-threads=10 --pid-file="$LAB/munge-run/munged.pid" \
    --log-file="$LAB/munge-run/munged.log" --seed-file="$LAB/munge-run/munged.seed" \
    >>"$LOG/munged.out" 2>&1 </dev/null
  wait_for 10 munged munge -n
  say "munged up"
}

start_db() {
  if ! alive "$LAB/mysql-run/mariadbd.pid" mariadbd; then
    if [ ! -d "$LAB/mysql/mysql" ]; then
      install -d -m 700 -o mysql -g mysql "$LAB/mysql"
      mariadb-install-db --defaults-file="$LAB/my.cnf" --user=mysql --datadir="$LAB/mysql" --skip-test-db \
        --auth-root-authentication-method=socket >"$LOG/mariadb-install.log" 2>&1 || die "mariadb-install-db"
    fi
    setsid mariadbd --defaults-file="$LAB/my.cnf" >>"$LOG/mariadbd.out" 2>&1 </dev/null &
    wait_for 60 mariadbd sql -e 'select 1'
    say "mariadbd up"
  fi
  sql -e "create database if not exists slurm_acct_db;
          create user if not exists slurm@localhost identified via unix_socket;
          grant all on slurm_acct_db.* to slurm@localhost;"
}

start_dbd() {
  alive "$LAB/run-slurm/slurmdbd.pid" slurmdbd || {
    # libmariadb takes the socket from MYSQL_UNIX_PORT
    MYSQL_UNIX_PORT="$LAB/mysql-run/m.sock" \
      runuser -u slurm -- slurmdbd >>"$LOG/slurmdbd.out" 2>&1 </dev/null || die slurmdbd
    wait_for 60 slurmdbd sacctmgr -n show cluster
    say "slurmdbd up"
  }
  # cluster, account and user must be known, or jobs are recorded without an association
  sacctmgr -n -P show cluster format=cluster | grep -qx lab || sacctmgr -i -Q add cluster lab >/dev/null
  sacctmgr -n -P show account format=account | grep -qx lab || sacctmgr -i -Q add account lab Cluster=lab >/dev/null
  sacctmgr -n -P show user format=user,defaultaccount | grep -qx 'root|lab' \
    || sacctmgr -i -Q add user root Account=lab DefaultAccount=lab AdminLevel=Admin >/dev/null || true
}

start_ctld() {
  alive "$LAB/run-slurm/slurmctld.pid" slurmctld && { timeout 10 scontrol reconfigure || true; return; }
  runuser -u slurm -- slurmctld >>"$LOG/slurmctld.out" 2>&1 </dev/null || die slurmctld
  wait_for 30 slurmctld scontrol ping
  say "slurmctld up"
}

start_node() {
  alive "$RUN/slurmd-$1.pid" slurmd && return
  slurmd -N "$1" >>"$LOG/slurmd-$1.out" 2>&1 </dev/null || die "slurmd $1"
  wait_for 15 "slurmd $1" alive "$RUN/slurmd-$1.pid" slurmd
}

node_ok() { sinfo -h -N -n "$1" -o %T | grep -Eqx 'idle|mixed|allocated'; }
# a node whose step would not end is drained, and stays so until someone says that it is well
resume() { case $(sinfo -h -N -n "$1" -o %T) in drain*) say "node $1 was drained"; scontrol update "NodeName=$1" State=RESUME ;; esac; }
all_ok()  { local n; for n in "${NODES[@]}"; do node_ok "$n" || return 1; done; }

up() {
  [ "$(id -u)" = 0 ] || die "run as root"
  install_pkgs; configure; start_munge; start_db; start_dbd; start_ctld
  local n; for n in "${NODES[@]}"; do start_node "$n"; resume "$n"; done
  wait_for 60 nodes all_ok
  say "nodes up: $(sinfo -h -o '%P=%N(%T,%G)' | tr '\n' ' ')"
  [ "$(timeout 60 srun -p cpu -n1 -t1 hostname)" = "$(hostname)" ] || die "first srun"
  say "READY (first srun went through)"
}

# steps of this lab's nodes: slurmstepd processes whose parent slurmd is gone keep running
steps_of() { # NODE -> pids of slurmstepd of that node
  local f p
  for f in /proc/[0-9]*/comm; do
    [ "$(cat "$f" 2>/dev/null)" = slurmstepd ] || continue
    p=${f#/proc/}; p=${p%/comm}
    # a step holds its log, $LOG/slurmd-NODE.log, open
    ls -l "/proc/$p/fd" 2>/dev/null | grep -qF "$LOG/slurmd-$1.log" && echo "$p"
  done; return 0
}

# end_steps NODE: SIGKILL what runs of its jobs, and all that they started
end_steps() {
  local p d kids
  for p in $(steps_of "$1"); do
    kids=$(cat /proc/"$p"/task/*/children 2>/dev/null || true)
    kill -9 "$p" 2>/dev/null || true
    for d in $kids; do kill -9 -- "-$d" 2>/dev/null || kill -9 "$d" 2>/dev/null || true; done
  done
}

kill_node() {
  if alive "$RUN/slurmd-$1.pid" slurmd; then kill -9 "$(cat "$RUN/slurmd-$1.pid")"; rm -f "$RUN/slurmd-$1.pid"; fi
  end_steps "$1"
  say "node $1 killed"
}

stop_controller() {
  stop "$LAB/run-slurm/slurmctld.pid" slurmctld
  stop "$LAB/run-slurm/slurmdbd.pid" slurmdbd
}

down() {
  if alive "$LAB/run-slurm/slurmctld.pid" slurmctld; then
    timeout 5 scancel --user=root 2>/dev/null || true
    local n=50; while [ -n "$(timeout 5 squeue -h 2>/dev/null)" ] && (( n-- > 0 )); do sleep 0.2; done
  fi
  for n in "${NODES[@]}"; do stop "$RUN/slurmd-$n.pid" slurmd; end_steps "$n"; done   # whatever still ran
  stop_controller
  stop "$LAB/mysql-run/mariadbd.pid" mariadbd
  stop "$LAB/munge-run/munged.pid" munged
  say "down"
}

wipe() {
  down; local f
  for f in slurm.conf gres.conf cgroup.conf slurmdbd.conf; do
    head -1 "$CONF/$f" 2>/dev/null | grep -qF "$MARK" && rm -f "$CONF/$f"
  done
  rm -rf "${LAB:?}" 2>/dev/null || { sleep 2; rm -rf "${LAB:?}"; }   # a writer that was just about to end
  say "wiped $LAB"
}

status() {
  local rc=0 x
  for x in "$LAB/munge-run/munged.pid munged" "$LAB/mysql-run/mariadbd.pid mariadbd" \
           "$LAB/run-slurm/slurmdbd.pid slurmdbd" "$LAB/run-slurm/slurmctld.pid slurmctld" \
           $(for n in "${NODES[@]}"; do echo "$RUN/slurmd-$n.pid=slurmd"; done); do
    set -- ${x/=/ }
    if alive "$1" "$2"; then echo "up    $2 $(basename "$1" .pid) pid $(cat "$1")"; else echo "DOWN  $2 $(basename "$1" .pid)"; rc=1; fi
  done
  (( rc )) || { sinfo -N -o '%N %P %T %c %m %G'; squeue; all_ok || rc=1; }
  return $rc
}

selftest() {
  local d j out; d=$(mktemp -d "$LAB/selftest.XXXX")
  j=$(sbatch --parsable -W -p cpu -o "$d/c" --wrap 'echo $SLURM_JOB_PARTITION $SLURMD_NODENAME') || die "cpu job"
  grep -q '^cpu c' "$d/c" || die "cpu job printed $(cat "$d/c")"; say "cpu job $j: $(cat "$d/c")"
  j=$(sbatch --parsable -W -p gpu --gres=gpu:1 -o "$d/g" --wrap 'echo $SLURM_JOB_PARTITION $SLURMD_NODENAME gpu$CUDA_VISIBLE_DEVICES') || die "gpu job"
  grep -qx 'gpu g1 gpu0' "$d/g" || die "gpu job printed $(cat "$d/g")"; say "gpu job $j: $(cat "$d/g")"
  out=$(sbatch -p cpu --gres=gpu:1 -o /dev/null --wrap true 2>&1) && die "gpu request on cpu was accepted"
  say "gpu request on cpu: refused ($out)"
  wait_for 10 sacct grep -q gres/gpu=1 <(sacct -n -X -P -j "$j" -o AllocTRES) || die sacct
  sacct -X -j "$j" -o JobID,Partition,State,NodeList,AllocTRES%50
  rm -rf "$d"; say "selftest passed"
}

# Daemons must not keep what was open at the caller, a lock of `flock` for example
# (not the one that bash itself reads this script by: it is close-on-exec)
for fd in /proc/$$/fd/*; do
  fd=${fd##*/}
  if (( fd > 2 )) && ! [ "/proc/$$/fd/$fd" -ef "${BASH_SOURCE[0]}" ]; then exec {fd}>&-; fi
done

case ${1:-up} in
  up) up ;; down) down ;; wipe) wipe ;; status) status ;; selftest) selftest ;;
  stop-controller) stop_controller ;;
  kill-node) kill_node "${2:?node}" ;; start-node) start_node "${2:?node}"; wait_for 30 "$2" node_ok "$2"; say "node $2 up" ;;
  *) sed -n '2,13p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
