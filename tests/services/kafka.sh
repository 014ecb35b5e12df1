# Apache Kafka, one node that is broker and controller (KRaft), run by Java 17 or newer from the jars that Maven brings.
#
# It has three ways in. PLAINTEXT is for everyone. A client that comes by PROXIED is told to go to the proxy's port from
# then on, where a test may listen and forward to PROXIED; so no connection of such a client goes past the test. SASL
# wants a user and a password.

kafka_libs=$cache/kafka-4.1.0
# The password has signs that a URL must not hold as they are.
kafka_user=bilten
kafka_password='p&ss=w+rd%'

kafka_listens() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Asks for the cluster's metadata: an open port is not enough, the broker must count itself among those that are alive.
# One that was started before it had all its listeners does not answer: `start` starts it again, with its data.
kafka_answers() {
    local brokers
    kafka_listens "$kafka_proxied_port" && kafka_listens "$kafka_sasl_port" || return 1
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
listeners=PLAINTEXT://127.0.0.1:$kafka_port,PROXIED://127.0.0.1:$kafka_proxied_port,SASL://127.0.0.1:$kafka_sasl_port,\
CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=PLAINTEXT://127.0.0.1:$kafka_port,PROXIED://127.0.0.1:$kafka_proxy_port,\
SASL://127.0.0.1:$kafka_sasl_port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.name.sasl.sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_$kafka_user="$kafka_password";
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
