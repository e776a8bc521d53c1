// Covers the feeds dialect with stream-java, through the client's own methods. Started by ../run.ts.
import io.getstream.client.Client;
import io.getstream.client.FlatFeed;
import io.getstream.core.exceptions.StreamAPIException;
import io.getstream.core.http.OKHTTPClientAdapter;
import io.getstream.core.models.Activity;
import io.getstream.core.models.Data;
import io.getstream.core.models.EnrichedActivity;
import io.getstream.core.models.FeedID;
import io.getstream.core.models.ForeignIDTimePair;
import io.getstream.core.models.ProfileData;
import io.getstream.core.options.Filter;
import io.getstream.core.options.Limit;
import io.getstream.core.options.Offset;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.stream.Collectors;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Response;

public final class Program {
  interface Call {
    void run() throws Exception;
  }

  private static final String KEY = System.getenv("ROSTERD_API_KEY");
  private static final String SECRET = System.getenv("ROSTERD_API_SECRET");
  private static Client client;

  private static Client connect(String key, String secret) throws MalformedURLException {
    URL url = new URL(System.getenv("ROSTERD_URL"));
    return Client.builder(key, secret)
      .scheme(url.getProtocol())
      .host(url.getHost())
      .port(url.getPort())
      .httpClient(new OKHTTPClientAdapter(new OkHttpClient.Builder().addInterceptor(Program::unhurried).build()))
      .build();
  }

  /** The client closes an answer that is there before it has begun to wait for it, which only a server this near can bring about. */
  private static Response unhurried(Interceptor.Chain chain) throws IOException {
    Response response = chain.proceed(chain.request());
    try {
      Thread.sleep(20);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
    return response;
  }

  private static String freshId(String name) {
    return name + "-" + UUID.randomUUID().toString().substring(0, 8);
  }

  private static void equal(Object actual, Object expected, String what) {
    if (!Objects.equals(actual, expected)) throw new AssertionError(what + ": " + actual + " is not " + expected);
  }

  /** The call must fail with exactly this status and code. */
  private static void refused(int status, int code, Call call) throws Exception {
    try {
      call.run();
    } catch (Exception error) {
      for (Throwable cause = error; cause != null; cause = cause.getCause()) {
        if (!(cause instanceof StreamAPIException)) continue;
        StreamAPIException refusal = (StreamAPIException) cause;
        equal(refusal.getStatusCode(), status, "status");
        equal(refusal.getErrorCode(), code, "code");
        return;
      }
      throw error;
    }
    throw new AssertionError("it was not refused");
  }

  private static void check(String operation, Call call) {
    try {
      call.run();
      System.out.println("ok " + operation);
    } catch (Throwable error) {
      System.out.println("not ok " + operation + " # " + String.valueOf(error).replaceAll("\\s+", " "));
    }
  }

  /** The client puts data and what the server says beside it into one map. */
  private static Map<String, Object> data(Data user) {
    Map<String, Object> data = new HashMap<>(user.getData());
    data.keySet().removeAll(List.of("created_at", "updated_at", "duration"));
    return data;
  }

  private static void users() throws Exception {
    check("User.create and get", () -> {
      String id = freshId("ann");
      Data created = client.user(id).create(new Data().set("name", "Ann").set("age", 7)).join();
      equal(created.getID(), id, "id");
      Data got = client.user(id).get().join();
      equal(data(got), data(created), "data");
      equal(data(got), Map.of("name", "Ann", "age", 7), "data");
    });
    check("User.create of an existing user", () -> {
      String id = freshId("twice");
      client.user(id).create().join();
      refused(409, 22, () -> client.user(id).create().join());
    });
    check("User.getOrCreate", () -> {
      String id = freshId("goc");
      Data first = client.user(id).getOrCreate(new Data().set("n", 1)).join();
      Data again = client.user(id).getOrCreate(new Data().set("n", 2)).join();
      equal(data(again), data(first), "data");
      for (String time : List.of("created_at", "updated_at")) equal((Object) again.get(time), first.get(time), time);
    });
    check("User.update", () -> {
      String id = freshId("upd");
      client.user(id).create(new Data().set("old", 1)).join();
      equal(data(client.user(id).update(new Data().set("new", 2)).join()), Map.of("new", 2), "data");
      equal(data(client.user(id).get().join()), Map.of("new", 2), "data read back");
      refused(404, 16, () -> client.user(freshId("nobody")).update(new Data().set("n", 1)).join());
    });
    check("User.delete, then getOrCreate of the same id", () -> {
      String id = freshId("del");
      client.user(id).create(new Data().set("old", 1)).join();
      client.user(id).delete().join();
      refused(404, 16, () -> client.user(id).get().join());
      equal(data(client.user(id).getOrCreate(new Data().set("new", 1)).join()), Map.of("new", 1), "data");
    });
    check("wrong key and wrong secret", () -> {
      refused(401, 2, () -> connect("no-such-key", SECRET).user("ann").get().join());
      refused(403, 17, () -> connect(KEY, "another-secret-that-is-long-enough-for-anything").user("ann").get().join());
    });
  }

  private static Activity activity(String actor, String object) {
    return Activity.builder().actor(actor).verb("post").object(object).build();
  }

  private static List<String> objects(List<Activity> activities) {
    return activities.stream().map(Activity::getObject).collect(Collectors.toList());
  }

  private static void feeds() throws Exception {
    check("FlatFeed.addActivity and getActivities", () -> {
      String id = freshId("feed");
      FlatFeed feed = client.flatFeed("user", id);
      Activity added = feed.addActivity(
        Activity.builder().actor("SU:" + id).verb("post").object("p:1").extraField("mood", "fine").build()).join();
      Activity found = feed.getActivities(new Limit(5)).join().get(0);
      equal(found.getID(), added.getID(), "id");
      equal(found.getTime(), added.getTime(), "time");
      equal(found.getExtra().get("mood"), "fine", "own field");
    });
    check("FlatFeed.addActivities, pages and removal", () -> {
      FlatFeed feed = client.flatFeed("user", freshId("feed"));
      List<Activity> added = feed.addActivities(activity("a", "p:0"), activity("a", "p:1"), activity("a", "p:2")).join();
      equal(objects(feed.getActivities().join()), List.of("p:2", "p:1", "p:0"), "newest first");
      equal(objects(feed.getActivities(new Limit(1), new Offset(1)).join()), List.of("p:1"), "page");
      equal(objects(feed.getActivities(new Filter().idLessThan(added.get(1).getID())).join()), List.of("p:0"), "older ones");
      feed.removeActivityByID(added.get(1).getID()).join();
      equal(objects(feed.getActivities().join()), List.of("p:2", "p:0"), "after removal");
    });
    check("foreign ids", () -> {
      FlatFeed feed = client.flatFeed("user", freshId("feed"));
      String foreignId = freshId("post");
      Date time = new Date(1_715_000_000_123L);
      Activity.Builder post = Activity.builder().actor("a").verb("post").foreignID(foreignId).time(time);
      Activity first = feed.addActivity(post.object("p:1").build()).join();
      Activity again = feed.addActivity(post.object("p:2").build()).join();
      equal(again.getID(), first.getID(), "id");
      equal(again.getTime(), time, "time");
      List<Activity> found = client.batch().getActivitiesByForeignID(new ForeignIDTimePair(foreignId, time)).join();
      equal(objects(found), List.of("p:2"), "by foreign id and time");
      feed.removeActivityByForeignID(foreignId).join();
      equal(feed.getActivities().join().size(), 0, "after removal");
    });
    check("enriched reads", () -> {
      String id = freshId("rich");
      client.user(id).create(new Data().set("name", "Ann")).join();
      FlatFeed feed = client.flatFeed("user", id);
      Activity added = feed.addActivity(activity("SU:" + id, "SU:" + id + "-none")).join();
      EnrichedActivity found = feed.getEnrichedActivities().join().get(0);
      equal(found.getActor().getID(), id, "actor");
      equal(data(found.getActor()), Map.of("name", "Ann"), "data of the actor");
      equal(found.getObject().get("error"), "ReferenceNotFound", "missing reference");
      client.user(id).delete().join();
      EnrichedActivity orphan = client.batch().getEnrichedActivitiesByID(added.getID()).join().get(0);
      equal(orphan.getActor().get("reference"), "SU:" + id, "deleted user");
    });
    check("follow, unfollow and User.profile", () -> {
      String ann = freshId("ann");
      String bob = freshId("bob");
      client.user(ann).create().join();
      client.user(bob).create().join();
      client.flatFeed("timeline", ann).follow(client.flatFeed("user", bob)).join();
      ProfileData profile = client.user(bob).profile().join();
      equal(profile.getFollowersCount(), 1, "followers");
      equal(client.user(ann).profile().join().getFollowingCount(), 1, "following");
      client.flatFeed("timeline", ann).unfollow(client.flatFeed("user", bob)).join();
      equal(client.user(bob).profile().join().getFollowersCount(), 0, "followers afterwards");
    });
    check("targets", () -> {
      String id = freshId("to");
      Activity sent = Activity.builder().actor("a").verb("post").object("p:1").to(new FeedID("all", id)).build();
      client.flatFeed("user", id).addActivity(sent).join();
      equal(objects(client.flatFeed("all", id).getActivities().join()), List.of("p:1"), "feed of the target");
    });
  }

  public static void main(String[] arguments) throws Exception {
    client = connect(KEY, SECRET);
    users();
    feeds();
    System.out.println("done");
    // The HTTP client of the library keeps threads that would hold the process for a minute.
    System.exit(0);
  }
}
