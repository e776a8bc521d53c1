"""What the checks share: the client, one line per operation, and what was said on the wire when one fails."""
import os
import uuid

import stream

KEY = os.environ["ROSTERD_API_KEY"]
SECRET = os.environ["ROSTERD_API_SECRET"]
# The client puts "api." before every host but this one.
URL = os.environ["ROSTERD_URL"].replace("127.0.0.1", "localhost")

BODY_CHARS_MAX = 300
last_response = None


def remember(response, *_args, **_kwargs):
    global last_response
    last_response = response


def connect(key=KEY, secret=SECRET):
    client = stream.connect(key, secret, "1", base_url=URL, timeout=10)
    client.session.hooks["response"].append(remember)
    return client


def fresh_id(name):
    """An id of its own for every check, so that none depends on what another left behind."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


def equal(actual, expected, what):
    assert actual == expected, f"{what}: {actual!r} is not {expected!r}"


def last_status():
    return last_response.status_code


def raises(kind, status, call):
    """The client must raise exactly this class, made from the answer's `code`, and the answer must have rate headers."""
    try:
        answer = call()
    except stream.exceptions.StreamApiException as error:
        equal(type(error).__name__, kind.__name__, "exception")
        equal(error.status_code, status, "status")
        for header in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"):
            assert header in last_response.headers, f"the error has no {header}"
        return error
    raise AssertionError(f"no {kind.__name__}, but {answer!r}")


def check(operation, call):
    """Runs one check and says how it went; a failure is followed by the last exchange on the wire."""
    global last_response
    last_response = None
    try:
        call()
    except Exception as error:  # whatever goes wrong, the other operations are still to be checked
        print(f"not ok {operation} # {one_line(f'{type(error).__name__}: {error}')}{exchange()}", flush=True)
    else:
        print(f"ok {operation}", flush=True)


def exchange():
    if last_response is None:
        return ""
    request = last_response.request
    sent = request.body or ""
    answer = f"{last_response.status_code} {last_response.text[:BODY_CHARS_MAX]}"
    return f" [{one_line(f'{request.method} {request.path_url} {sent[:BODY_CHARS_MAX]} -> {answer}')}]"


def one_line(text):
    return " ".join(text.split())
