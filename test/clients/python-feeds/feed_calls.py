"""The feed surface that users need: references that read back enriched, missing references, follow counts."""
import datetime

from stream.exceptions import DoesNotExistException, InputException

from harness import check, connect, equal, fresh_id, last_status, raises

client = connect()


def missing(user_id):
    return {"id": user_id, "error": "ReferenceNotFound", "reference": f"SU:{user_id}", "reference_type": "user"}


def person(name="Ann"):
    """The id of a new user, and its reference as the client writes it."""
    user_id = fresh_id("act")
    user = client.users.add(user_id, {"name": name, "color": "red"})
    return user_id, client.users.create_reference(user)


def add_activity():
    user_id, reference = person()
    feed = client.feed("user", user_id)
    activity = feed.add_activity({"actor": reference, "verb": "tweet", "object": "tweet:1", "mood": "fine", "foreign_id": "t:1"})
    equal(last_status(), 201, "status")
    assert isinstance(activity["time"], datetime.datetime), f"the client could not read the time {activity['time']!r}"
    equal((activity["actor"], activity["mood"], activity["foreign_id"]), (reference, "fine", "t:1"), "activity")
    results = feed.get(limit=5)["results"]
    equal([(found["id"], found["actor"]) for found in results], [(activity["id"], reference)], "feed, not enriched")


def enriched_feed():
    user_id, reference = person()
    feed = client.feed("user", user_id)
    feed.add_activity({"actor": reference, "verb": "like", "object": "tweet:1", "target": reference, "by": reference, "note": "SUnshine"})
    found = feed.get(enrich=True)["results"][0]
    user = client.users.get(user_id)
    del user["duration"]
    for field in ("actor", "target", "by"):
        equal(found[field], user, field)
    equal(list(found["actor"]), list(user), "order of keys")
    equal((found["object"], found["note"]), ("tweet:1", "SUnshine"), "what is no reference")


def enriched_after_update():
    user_id, reference = person()
    feed = client.feed("user", user_id)
    feed.add_activity({"actor": reference, "verb": "like", "object": "tweet:1"})
    client.users.update(user_id, {"name": "Anna"})
    equal(feed.get(enrich=True)["results"][0]["actor"]["data"], {"name": "Anna"}, "data of the actor")


def missing_reference():
    user_id, reference = person()
    feed = client.feed("user", user_id)
    feed.add_activity({"actor": reference, "verb": "like", "object": client.users.create_reference("never-there")})
    client.users.delete(user_id)
    found = feed.get(enrich=True)["results"][0]
    equal(found["actor"], missing(user_id), "deleted user")
    equal(found["object"], missing("never-there"), "unknown user")
    equal(feed.get()["results"][0]["actor"], reference, "actor, not enriched")
    client.users.add(user_id, {"back": True})
    equal(feed.get(enrich=True)["results"][0]["actor"]["data"], {"back": True}, "user that came back")


def get_activities():
    user_id, reference = person()
    when = datetime.datetime(2024, 5, 6, 7, 8, 9, 123456)
    feed = client.feed("user", user_id)
    foreign_id = fresh_id("post")
    activity = feed.add_activity({"actor": reference, "verb": "post", "object": "p:1", "foreign_id": foreign_id, "time": when})
    equal(activity["time"].replace(tzinfo=None), when, "time")
    for asked in ({"ids": [activity["id"]]}, {"foreign_id_times": [(foreign_id, when)]}):
        plain = client.get_activities(**asked)["results"]
        equal([(found["id"], found["actor"]) for found in plain], [(activity["id"], reference)], f"by {asked}")
        enriched = client.get_activities(enrich=True, **asked)["results"]
        equal([found["actor"]["id"] for found in enriched], [user_id], f"enriched, by {asked}")


def add_activities():
    user_id, reference = person()
    feed = client.feed("user", user_id)
    answer = feed.add_activities([{"actor": reference, "verb": "post", "object": f"p:{n}"} for n in range(3)])
    equal([found["object"] for found in answer["activities"]], ["p:0", "p:1", "p:2"], "answer")
    newest = [found["object"] for found in feed.get()["results"]]
    equal(newest, ["p:2", "p:1", "p:0"], "feed, newest first")
    page = feed.get(limit=1, offset=1)["results"]
    equal([found["object"] for found in page], ["p:1"], "page")
    older = feed.get(id_lt=page[0]["id"])["results"]
    equal([found["object"] for found in older], ["p:0"], "older ones")


def remove_activity():
    user_id, reference = person()
    feed = client.feed("user", user_id)
    first = feed.add_activity({"actor": reference, "verb": "post", "object": "p:1"})
    feed.add_activity({"actor": reference, "verb": "post", "object": "p:2", "foreign_id": "two"})
    equal(feed.remove_activity(first["id"])["removed"], first["id"], "removed")
    equal(feed.remove_activity(foreign_id="two")["removed"], "two", "removed")
    equal(feed.get()["results"], [], "feed")


def activity_refused():
    feed = client.feed("user", fresh_id("bad"))
    raises(InputException, 400, lambda: feed.add_activity({"verb": "post", "object": "p:1"}))
    equal(feed.get()["results"], [], "feed")
    odd = client.feed("bad-slug", "ann")
    raises(InputException, 400, lambda: odd.add_activity({"actor": "a", "verb": "post", "object": "p:1"}))


def follow_counts():
    (ann, _), (bob, _) = person(), person("Bob")
    timeline = client.feed("timeline", ann)
    client.feed("user", bob).add_activity({"actor": "SU:" + bob, "verb": "post", "object": "before"})
    timeline.follow("user", bob, activity_copy_limit=1)
    client.feed("user", bob).add_activity({"actor": "SU:" + bob, "verb": "post", "object": "after"})
    shown = [(found["object"], found["origin"]) for found in timeline.get()["results"]]
    equal(shown, [("after", "user:" + bob), ("before", "user:" + bob)], "timeline")
    equal(client.users.get(bob, with_follow_counts=True)["followers_count"], 1, "followers of bob")
    equal(client.users.get(ann, with_follow_counts=True)["following_count"], 1, "followed by ann")
    assert "followers_count" not in client.users.get(bob), "counts that nobody asked for"
    timeline.unfollow("user", bob)
    equal(timeline.get()["results"], [], "timeline, unfollowed")
    equal(client.users.get(bob, with_follow_counts=True)["followers_count"], 0, "followers of bob, unfollowed")


def not_supported():
    raises(DoesNotExistException, 404, lambda: client.collections.add("food", {"name": "burger"}, id="burger"))
    raises(DoesNotExistException, 404, lambda: client.reactions.add("like", "54a60c1e-4ee3-494b-a1e3-50c06acb5ed4", "ann"))


def check_feeds():
    check("feed.add_activity and get", add_activity)
    check("feed.get enriched", enriched_feed)
    check("feed.get enriched after users.update", enriched_after_update)
    check("feed.get missing reference", missing_reference)
    check("get_activities", get_activities)
    check("feed.add_activities and pages", add_activities)
    check("feed.remove_activity", remove_activity)
    check("feed.add_activity refused", activity_refused)
    check("feed.follow, unfollow, timeline and follow counts", follow_counts)
    check("collections and reactions are not supported", not_supported)
