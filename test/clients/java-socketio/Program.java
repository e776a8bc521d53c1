// Keeps socket.io-client for Java, with its default options, connected over restarts of the daemon. Started by ../run.ts.
import io.socket.client.IO;
import io.socket.client.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

public final class Program {
  private static final long PATIENCE_MS = 40_000;
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private static List<String> control(String path) throws Exception {
    URI uri = URI.create(System.getenv("ROSTERD_CONTROL_URL") + path);
    HttpRequest request = HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.noBody()).timeout(Duration.ofMillis(PATIENCE_MS)).build();
    HttpResponse<String> answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() != 200) throw new IllegalStateException(path + ": " + answer.statusCode() + " " + answer.body());
    JSONArray ids = new JSONArray(answer.body());
    List<String> list = new ArrayList<>();
    for (int i = 0; i < ids.length(); i++) list.add(ids.getString(i));
    return list;
  }

  /** Everything that the application has to do is in `auth`, which the client reads at each connect. */
  private static final class Subscriber {
    /** The client turns the map into JSON, whatever its values are, although it declares them as text. */
    private final Map<String, Object> auth = new HashMap<>();
    final List<String> ids = new ArrayList<>();
    final List<Integer> seqs = new ArrayList<>();
    final Socket socket;
    int connects = 0;

    @SuppressWarnings({"unchecked", "rawtypes"})
    Subscriber(String transport) throws JSONException {
      JSONObject sub = new JSONObject().put("sub", "all").put("all", true).put("snapshot", false);
      auth.put("api_key", System.getenv("ROSTERD_API_KEY"));
      auth.put("token", System.getenv("ROSTERD_SERVER_TOKEN"));
      auth.put("subs", new JSONArray().put(sub));
      IO.Options options = IO.Options.builder().setTransports(new String[] {transport}).setForceNew(true).setAuth((Map) auth).build();
      socket = IO.socket(URI.create(System.getenv("ROSTERD_URL")), options);
      socket.on("event", (arguments) -> take((JSONObject) arguments[0]));
      socket.connect();
    }

    private synchronized void take(JSONObject frame) {
      try {
        String type = frame.optString("type");
        if (type.equals("connection.ok")) {
          connects++;
          auth.put("resume", new JSONObject().put("epoch", frame.getString("epoch")).put("seq", frame.getInt("seq")));
        } else if (type.equals("user.updated")) {
          ids.add(frame.getJSONObject("user").getString("id"));
          seqs.add(frame.getInt("seq"));
          ((JSONObject) auth.get("resume")).put("seq", frame.getInt("seq"));
        }
        notifyAll();
      } catch (JSONException error) {
        throw new IllegalStateException(error);
      }
    }

    synchronized void until(BooleanSupplier isSo, String what) throws InterruptedException {
      long deadline = System.currentTimeMillis() + PATIENCE_MS;
      while (!isSo.getAsBoolean()) {
        long left = deadline - System.currentTimeMillis();
        if (left <= 0) throw new IllegalStateException(what + ": " + connects + " connects, " + ids);
        wait(left);
      }
    }
  }

  private static void over(String transport, String signal) throws Exception {
    Subscriber subscriber = new Subscriber(transport);
    try {
      subscriber.until(() -> subscriber.connects == 1, "the first connect");
      List<String> written = new ArrayList<>(control("/write?users=3"));
      subscriber.until(() -> subscriber.ids.size() == 3, "the first changes");
      written.addAll(control("/restart?signal=" + signal + "&users=3"));
      subscriber.until(() -> subscriber.connects == 2, "the connect after the restart");
      written.addAll(control("/write?users=3"));
      subscriber.until(() -> subscriber.ids.size() >= written.size(), "all changes");
      if (!subscriber.ids.equals(written)) throw new IllegalStateException(subscriber.ids + " is not " + written);
      List<Integer> inOrder = new ArrayList<>(new TreeSet<>(subscriber.seqs));
      if (!subscriber.seqs.equals(inOrder)) throw new IllegalStateException(subscriber.seqs + " is not in order");
    } finally {
      subscriber.socket.disconnect();
    }
  }

  public static void main(String[] arguments) {
    for (String transport : new String[] {"websocket", "polling"}) {
      for (String signal : new String[] {"SIGTERM", "SIGKILL"}) {
        String operation = "comes back after " + signal + " over " + transport;
        try {
          over(transport, signal);
          System.out.println("ok " + operation);
        } catch (Exception error) {
          System.out.println("not ok " + operation + " # " + error.toString().replace('\n', ' '));
        }
      }
    }
    System.out.println("done");
    System.exit(0);
  }
}
