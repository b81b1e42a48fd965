#!/usr/bin/env bash
# A standalone Apache Flink cluster (JobManager, one TaskManager, SQL gateway) for benchmarks, from Maven artifacts. Needs java 17, mvn, curl.
#   flink.sh install DIR   fetch the pinned jars into DIR/lib (200 MB), once
#   flink.sh start DIR     start what isn't running and wait; prints the addresses and the TaskManager's pid
#   flink.sh stop DIR      stop what it started
# Environment: FLINK_PORT (8081; 4 ports from it on), FLINK_SLOTS, FLINK_TASK_HEAP and FLINK_MANAGED in MiB, FLINK_CHECKPOINT.
set -euo pipefail

version=2.2.1 log4j=2.24.3
port=${FLINK_PORT:-8081} slots=${FLINK_SLOTS:-2} heap=${FLINK_TASK_HEAP:-1536} managed=${FLINK_MANAGED:-1024}
host=127.0.0.1
[ $# -eq 2 ] || { echo "usage: flink.sh install|start|stop DIR" >&2; exit 2; }
command=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd -P)

# pid ROLE: the process counts as ours only while its command line carries our mark.
pid() {
  local p
  [ -s "$dir/$1.pid" ] && p=$(cat "$dir/$1.pid") && tr '\0' '\n' 2>/dev/null <"/proc/$p/cmdline" | grep -qxF -- "-Dleat.bench=$dir:$1" && echo "$p"
}

install() {
  [ "$(cat "$dir/.installed" 2>/dev/null)" != "$version $log4j" ] || return 0
  local a deps=
  for a in clients runtime-web statebackend-rocksdb connector-files table-api-java-bridge table-runtime table-planner_2.12 sql-gateway json; do
    deps+="<dependency><groupId>org.apache.flink</groupId><artifactId>flink-$a</artifactId><version>$version</version></dependency>"
  done
  for a in log4j-core log4j-slf4j-impl log4j-1.2-api; do
    deps+="<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>$a</artifactId><version>$log4j</version></dependency>"
  done
  cat >"$dir/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>bench</groupId><artifactId>flink</artifactId><version>1</version><packaging>pom</packaging><dependencies>$deps</dependencies></project>
XML
  rm -rf "$dir/lib"
  mvn -B -q -Dstyle.color=never -f "$dir/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$dir/lib" >"$dir/mvn.log" 2>&1 || { tail -n 20 "$dir/mvn.log" >&2; exit 1; }
  echo "$version $log4j" >"$dir/.installed"
}

# Without Flink's own shell scripts nobody derives the split of memory: every key has to be there.
configure() {
  mkdir -p "$dir/conf" "$dir/logs" "$dir/tmp" "$dir/checkpoints"
  cat >"$dir/conf/config.yaml" <<YAML
jobmanager.rpc.address: $host
jobmanager.rpc.port: $((port + 1))
jobmanager.bind-host: $host
taskmanager.host: $host
taskmanager.bind-host: $host
rest.address: $host
rest.bind-address: $host
rest.port: $port
rest.bind-port: '$port'
sql-gateway.endpoint.rest.address: $host
sql-gateway.endpoint.rest.bind-address: $host
sql-gateway.endpoint.rest.port: $((port + 2))
sql-gateway.endpoint.rest.bind-port: '$((port + 2))'
execution.target: remote
parallelism.default: $slots
taskmanager.numberOfTaskSlots: $slots
taskmanager.cpu.cores: $slots.0
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.task.heap.size: ${heap}m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.task.off-heap.size: 0m
taskmanager.memory.network.min: 128m
taskmanager.memory.network.max: 128m
taskmanager.memory.managed.size: ${managed}m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
io.tmp.dirs: $dir/tmp
state.backend.type: rocksdb
execution.checkpointing.incremental: true
execution.checkpointing.storage: filesystem
execution.checkpointing.dir: file://$dir/checkpoints
execution.checkpointing.interval: ${FLINK_CHECKPOINT:-10s}
execution.checkpointing.mode: EXACTLY_ONCE
restart-strategy.type: none
YAML
  cat >"$dir/conf/log4j.properties" <<'LOG'
status = ERROR
rootLogger.level = INFO
rootLogger.appenderRef.c.ref = C
appender.c.type = Console
appender.c.name = C
appender.c.layout.type = PatternLayout
appender.c.layout.pattern = %d %-5p %c - %m%n
LOG
  : >"$dir/conf/jvm.opts"
  local p
  for p in base/sun.net.util rmi/sun.rmi.registry security.jgss/sun.security.krb5; do
    echo "--add-exports=java.$p=ALL-UNNAMED"
  done >>"$dir/conf/jvm.opts"
  for p in lang net io nio lang.reflect text time util util.concurrent util.concurrent.atomic util.concurrent.locks; do
    echo "--add-opens=java.base/java.$p=ALL-UNNAMED"
  done >>"$dir/conf/jvm.opts"
  echo "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED" >>"$dir/conf/jvm.opts"
}

# launch ROLE HEAP CLASS ARGS...
launch() {
  local role=$1 size=$2
  shift 2
  ! pid "$role" >/dev/null || return 0
  FLINK_CONF_DIR=$dir/conf setsid java -Xmx"$size"m -XX:+UseG1GC @"$dir/conf/jvm.opts" -Djava.io.tmpdir="$dir/tmp" -Dleat.bench="$dir:$role" \
    -Dlog4j2.configurationFile="file:$dir/conf/log4j.properties" -cp "$dir/lib/*" "$@" >"$dir/logs/$role.out" 2>&1 </dev/null &
  echo $! >"$dir/$role.pid"
}

start() {
  [ -s "$dir/.installed" ] || install
  configure
  launch jobmanager 512 org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint --configDir "$dir/conf"
  launch taskmanager $((heap + 128)) -XX:MaxDirectMemorySize=256m org.apache.flink.runtime.taskexecutor.TaskManagerRunner --configDir "$dir/conf"
  launch gateway 512 org.apache.flink.table.gateway.SqlGateway
  local i r
  for ((i = 0; i < 900; i++)); do
    for r in jobmanager taskmanager gateway; do
      pid $r >/dev/null || { echo "flink.sh: $r died at its start" >&2; tail -n 15 "$dir/logs/$r.out" | cut -c1-300 >&2; stop; exit 1; }
    done
    if curl -fs -m 2 "http://$host:$port/overview" 2>/dev/null | grep -q '"slots-total":[1-9]' && curl -fs -m 2 "http://$host:$((port + 2))/v1/info" >/dev/null 2>&1; then
      echo "http://$host:$port http://$host:$((port + 2)) $(pid taskmanager)"
      return
    fi
    sleep 0.1
  done
  echo "flink.sh: not ready after 90 s; see $dir/logs" >&2
  stop
  exit 1
}

stop() {
  local r p i
  for r in gateway taskmanager jobmanager; do
    if p=$(pid $r); then
      kill "$p" 2>/dev/null || true
      for ((i = 0; i < 150; i++)); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
      kill -9 "$p" 2>/dev/null || true
    fi
    rm -f "$dir/$r.pid"
  done
  rm -rf "$dir/checkpoints" "$dir/tmp"
}

case $command in
install | start | stop) "$command" ;;
*) echo "flink.sh: no command $command" >&2; exit 2 ;;
esac
