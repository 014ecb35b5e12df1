# Apache Kafka, one node that is broker and controller (KRaft), run by Java 17 or newer from the jars that Maven brings.

kafka_libs=$cache/kafka-4.1.0

# Asks for the cluster's metadata: an open port is not enough, the broker must count itself among those that are alive.
kafka_answers() {
    local brokers
    exec 3<>"/dev/tcp/127.0.0.1/$kafka_port" || return 1
    # Length, metadata request of version 1, correlation id, no client id, no topics.
    printf '\x00\x00\x00\x0e\x00\x03\x00\x01\x00\x00\x00\x01\xff\xff\x00\x00\x00\x00' >&3
    # Length, correlation id, number of brokers.
    brokers=$(timeout 2 head -c 12 <&3 | od -An -tu1 | tr -s ' \n' ' ')
    exec 3>&-
    [ "$(echo "$brokers" | cut -d' ' -f13)" = 1 ]
}

kafka_java() {
    command -v java >/dev/null || fail "Java is missing: install openjdk-17-jre-headless"
    java -cp "$kafka_libs/*" "$@"
}

kafka_start() {
    if [ ! -e "$kafka_libs/ready" ]; then
        command -v mvn >/dev/null || fail "Maven is missing: install the package maven"
        mkdir -p "$kafka_libs"
        mvn -q -B -f "$here/kafka/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$kafka_libs" >&2 ||
            fail "Kafka's jars can't be had: Maven's repository was not reached"
        touch "$kafka_libs/ready"
    fi
    cat >"$dir/kafka.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller_port
listeners=PLAINTEXT://127.0.0.1:$kafka_port,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=PLAINTEXT://127.0.0.1:$kafka_port
controller.listener.names=CONTROLLER
log.dirs=$dir/kafka
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# A broker that was killed is let in again when its old session has ended.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
message.max.bytes=20000000
EOF
    if [ ! -e "$dir/kafka/meta.properties" ]; then
        kafka_java kafka.tools.StorageTool format --ignore-formatted -t QmlsdGVuQmlsdGVuQmlsdA \
            -c "$dir/kafka.properties" >>"$dir/kafka.log" 2>&1 || fail "the broker's folder can't be made; see $dir/kafka.log"
    fi
    launch kafka java -Xmx512m -XX:+UseSerialGC -cp "$kafka_libs/*" -Dorg.slf4j.simpleLogger.showDateTime=true \
        kafka.Kafka "$dir/kafka.properties"
}
