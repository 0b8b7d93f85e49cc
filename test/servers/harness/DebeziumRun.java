import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import java.io.FileReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Runs one Debezium engine for each file of properties that is named, and prints what they would send to Kafka: a line a
 * record of topic, key and value, the latter two in Base64, or "-" where there is none. Ends with its standard input.
 */
public final class DebeziumRun {
    public static void main(String[] files) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        ExecutorService threads = Executors.newCachedThreadPool();
        for (String file : files) {
            Properties properties = new Properties();
            try (FileReader reader = new FileReader(file)) {
                properties.load(reader);
            }
            DebeziumEngine<ChangeEvent<String, String>> engine = DebeziumEngine.create(Json.class)
                    .using(properties)
                    .using((success, message, error) -> {
                        System.err.println(file + ": " + success + " " + message);
                        if (error != null) error.printStackTrace();
                    })
                    .notifying(event -> {
                        synchronized (out) {
                            out.println(event.destination() + " " + coded(event.key()) + " " + coded(event.value()));
                            out.flush();
                        }
                    })
                    .build();
            threads.execute(engine);
        }
    }

    private static String coded(String text) {
        return text == null ? "-" : Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
