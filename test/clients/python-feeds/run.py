"""Covers the feeds dialect with stream-python, through the client's own methods. Started by ../run.ts."""
from feed_calls import check_feeds
from user_calls import check_users

if __name__ == "__main__":
    check_users()
    check_feeds()
    print("done")
