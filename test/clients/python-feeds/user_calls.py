"""Users of the feeds dialect: one, many, and everything that is refused."""
import asyncio
import time

import stream
from stream.exceptions import (
    ApiKeyException,
    DoesNotExistException,
    InputException,
    NotAllowedException,
    StreamApiException,
)
from stream.users import Users

from harness import KEY, SECRET, URL, connect, check, equal, fresh_id, last_status, raises

client = connect()
BODY = {"id", "data", "created_at", "updated_at", "duration"}
DATA_BYTES_MAX = 10_240


def create():
    user_id = fresh_id("ann")
    data = {"name": "Ann", "image": "https://example.com/a.png", "age": 7, "deep": {"list": [1, None, True]}}
    user = client.users.add(user_id, data)
    equal(last_status(), 201, "status")
    equal(set(user), BODY, "keys")
    equal(user["id"], user_id, "id")
    equal(user["data"], data, "data")
    equal(client.users.get(user_id)["data"], data, "data read back")


def create_without_data():
    for data in (None, {}, []):
        equal(client.users.add(fresh_id("bare"), data)["data"], {}, f"data for {data!r}")


def create_existing():
    user_id = fresh_id("twice")
    client.users.add(user_id, {"n": 1})
    raises(StreamApiException, 409, lambda: client.users.add(user_id, {"n": 2}))
    equal(client.users.get(user_id)["data"], {"n": 1}, "data")


def get_or_create():
    user_id = fresh_id("goc")
    first = client.users.add(user_id, {"n": 1}, get_or_create=True)
    again = client.users.add(user_id, {"n": 2}, get_or_create=True)
    equal(last_status(), 201, "status")
    for key in BODY - {"duration"}:
        equal(again[key], first[key], key)


def get_unknown():
    raises(DoesNotExistException, 404, lambda: client.users.get(fresh_id("nobody")))


def update():
    user_id = fresh_id("upd")
    before = client.users.add(user_id, {"name": "Old", "gone": 1})
    time.sleep(0.002)
    after = client.users.update(user_id, {"name": "New", "kept": [1]})
    equal(last_status(), 201, "status")
    equal(set(after), BODY, "keys")
    equal(after["data"], {"name": "New", "kept": [1]}, "data")
    equal(after["created_at"], before["created_at"], "created_at")
    assert after["updated_at"] != before["updated_at"], "updated_at did not change"
    equal(client.users.get(user_id)["data"], after["data"], "data read back")


def update_refused():
    raises(DoesNotExistException, 404, lambda: client.users.update(fresh_id("nobody"), {"a": 1}))
    user_id = fresh_id("upd")
    client.users.add(user_id, {"a": 1})
    raises(InputException, 400, lambda: client.users.update(user_id, "some string"))
    equal(client.users.get(user_id)["data"], {"a": 1}, "data")


def delete():
    user_id = fresh_id("del")
    client.users.add(user_id, {"n": 1})
    assert "duration" in client.users.delete(user_id), "no duration"
    equal(last_status(), 200, "status")
    raises(DoesNotExistException, 404, lambda: client.users.get(user_id))
    raises(DoesNotExistException, 404, lambda: client.users.delete(user_id))


def create_again():
    user_id = fresh_id("phoenix")
    client.users.add(user_id, {"old": 1})
    client.users.delete(user_id)
    equal(client.users.add(user_id, {"new": 1}, get_or_create=True)["data"], {"new": 1}, "data")


def data_is_only_data():
    """Names that mean something in other dialects are plain data here: a feeds caller must not make itself an admin."""
    data = {"role": "admin", "teams": ["red"], "name": 5, "banned": True}
    user_id = fresh_id("odd")
    equal(client.users.add(user_id, data)["data"], data, "data")
    equal(client.users.get(user_id)["data"], data, "data read back")


def id_rule():
    for bad in ("with space", "a@b", "", "a.b"):
        raises(InputException, 400, lambda: client.users.add(bad, {}))


def data_limit():
    """Counted as compact UTF-8, whatever spaces and escapes the client sends."""
    frame = len('{"t":""}')
    client.users.add(fresh_id("full"), {"t": "x" * (DATA_BYTES_MAX - frame)})
    client.users.add(fresh_id("full"), {"t": "é" * ((DATA_BYTES_MAX - frame) // 2)})
    raises(StreamApiException, 413, lambda: client.users.add(fresh_id("big"), {"t": "x" * (DATA_BYTES_MAX - frame + 1)}))


def many(data):
    return client.post("users/", client.users.token, data=data)


def get_many(ids):
    return client.get("users/", client.users.token, params={"ids": ",".join(ids)})


def add_many():
    ids = [fresh_id("m1"), fresh_id("m2")]
    created = many({"users": [{"id": user_id, "data": {"n": n}} for n, user_id in enumerate(ids)]})
    equal(last_status(), 201, "status")
    equal([user["id"] for user in created["created_users"]], ids, "created users")
    found = get_many([*ids, fresh_id("nobody")])["users"]
    equal({user["id"]: user["data"] for user in found}, {ids[0]: {"n": 0}, ids[1]: {"n": 1}}, "users")


def override_many():
    user_id = fresh_id("over")
    client.users.add(user_id, {"old": 1})
    many({"users": [{"id": user_id, "data": {"new": 1}}], "override": True})
    equal(client.users.get(user_id)["data"], {"new": 1}, "data")


def add_many_refused():
    good = fresh_id("good")
    raises(InputException, 400, lambda: many({"users": [{"id": good}, {"id": "not good"}]}))
    raises(DoesNotExistException, 404, lambda: client.users.get(good))


def delete_many():
    ids = [fresh_id("d1"), fresh_id("d2")]
    many({"users": [{"id": user_id} for user_id in ids]})
    answer = client.delete("users/", client.users.token, params={"ids": ",".join(ids)})
    equal(answer["deleted_user_ids"], ids, "deleted ids")
    equal(get_many(ids)["users"], [], "users")


def unknown_key():
    raises(ApiKeyException, 401, lambda: connect(key="no-such-key").users.get("ann"))


def wrong_secret():
    stranger = connect(secret="another-secret-that-is-long-enough-for-anything")
    raises(NotAllowedException, 403, lambda: stranger.users.get("ann"))


def user_token():
    me, other = fresh_id("me"), fresh_id("other")
    client.users.add(other, {"n": 1})
    mine = Users(client, client.create_user_token(me))
    equal(mine.add(me, {"a": 1}, get_or_create=True)["data"], {"a": 1}, "own data")
    equal(mine.update(me, {"a": 2})["data"], {"a": 2}, "own data")
    equal(mine.get(other)["data"], {"n": 1}, "data of another")
    for call in (
        lambda: mine.add(fresh_id("third"), {}),
        lambda: mine.update(other, {"n": 2}),
        lambda: mine.delete(other),
    ):
        raises(NotAllowedException, 403, call)
    equal(client.users.get(other)["data"], {"n": 1}, "data of another")


def scoped_token():
    user_id = fresh_id("scope")
    client.users.add(user_id, {})
    reader = Users(client, client.create_jwt_token("users", "read", feed_id="*"))
    equal(reader.get(user_id)["id"], user_id, "id")
    raises(NotAllowedException, 403, lambda: reader.update(user_id, {"a": 1}))
    elsewhere = Users(client, client.create_jwt_token("activities", "*", feed_id="*"))
    raises(NotAllowedException, 403, lambda: elsewhere.get(user_id))


def async_client():
    user_id = fresh_id("async")

    async def calls():
        other = stream.connect(KEY, SECRET, "1", base_url=URL, timeout=10, use_async=True)
        await other.users.add(user_id, {"n": 1}, get_or_create=True)
        await other.users.update(user_id, {"n": 2})
        equal((await other.users.get(user_id))["data"], {"n": 2}, "data")
        await other.users.delete(user_id)

    asyncio.run(calls())
    raises(DoesNotExistException, 404, lambda: client.users.get(user_id))


def check_users():
    check("users.add", create)
    check("users.add without data", create_without_data)
    check("users.add of an existing user", create_existing)
    check("users.add get_or_create", get_or_create)
    check("users.get of an unknown user", get_unknown)
    check("users.update", update)
    check("users.update refused", update_refused)
    check("users.delete", delete)
    check("users.add after delete", create_again)
    check("users.add data is only data", data_is_only_data)
    check("users.add id rule", id_rule)
    check("users.add data limit", data_limit)
    check("post users/ (many)", add_many)
    check("post users/ with override", override_many)
    check("post users/ refused as a whole", add_many_refused)
    check("delete users/ (many)", delete_many)
    check("unknown API key", unknown_key)
    check("wrong secret", wrong_secret)
    check("user token", user_token)
    check("scoped token", scoped_token)
    check("AsyncStreamClient users", async_client)
