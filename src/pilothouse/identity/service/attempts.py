"""How often a password may be tried: guessing is slow, and yet nobody can lock somebody else out.

Attempts are counted by name *and* address, by address, and by name. The first ones of each are free. After them each next
one waits longer for its turn, up to a limit. A short wait is waited out, a longer one is refused. So failures from elsewhere
never keep a person out: they fill another count. The count by name is the same for all addresses, and therefore leaves out
those from which the person signed in before.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_network

from sqlalchemy import case, delete, select, update

from pilothouse.base import clock
from pilothouse.db import Database, Tx, insert_into
from pilothouse.identity.contract import Rules, TooManyFailures
from pilothouse.identity.models import Failure, Login
from pilothouse.identity.service.users import find_user

#: A whole office may stand behind one address, and a crowd of addresses may try one name.
SHARED_FACTOR = 10
#: The longest wait that is waited out; who would have to wait longer is refused.
PATIENCE = timedelta(seconds=5)
#: Of attempts at one name from anywhere: less than our patience, so that a newcomer gets in soon after a crowd has gone.
SLOWEST_BY_NAME = timedelta(seconds=2)
FIRST_WAIT = timedelta(seconds=1)


@dataclass(frozen=True)
class Attempt:
    """Leave to try a password once, after ``pause``. It counts as failed until `forget_attempt` takes it back."""

    username: str
    address: str
    pause: timedelta
    buckets: tuple[str, ...]


def attempt(database: Database, *, username: str, address: str, rules: Rules = Rules()) -> Attempt:
    """Take a turn at ``username`` from ``address``. It is counted at once, so that parallel ones can't slip through together.

    Raises `TooManyFailures`; such an attempt counts for nothing.
    """
    with database.write() as tx:
        buckets = _buckets(tx, username, address)
        pause = max(_turn(tx, bucket, rules) for bucket in sorted(buckets))
        if pause > PATIENCE:
            wait_s = math.ceil(pause.total_seconds())
            raise TooManyFailures(f"Too many failed sign-ins. Wait {wait_s} seconds and try again.", wait_s=wait_s)
    return Attempt(username, address, pause, buckets)


def forget_attempt(tx: Tx, attempt: Attempt) -> None:
    """It succeeded: it counts no more, nor do the person's failures from this address, nor whatever is long past.

    Rows that another attempt holds are cleared by a later one.
    """
    own = [bucket for bucket in attempt.buckets if bucket.startswith("pair:")]
    shared = [bucket for bucket in attempt.buckets if bucket not in own]
    tx.execute(update(Failure).where(Failure.bucket.in_(shared), Failure.count > 0).values(count=Failure.count - 1))
    done = Failure.bucket.in_(own) | (Failure.until <= clock.now()) | (Failure.count == 0)
    unheld = select(Failure.bucket).where(done).with_for_update(skip_locked=True)
    tx.execute(delete(Failure).where(Failure.bucket.in_(unheld)).execution_options(synchronize_session=False))


def _turn(tx: Tx, bucket: str, rules: Rules) -> timedelta:
    """Count one more, and tell how long it has to wait. The row is held until the transaction ends: turns never meet."""
    now = clock.now()
    is_over = Failure.until <= now
    insert = insert_into(tx, Failure).values(bucket=bucket, count=1, until=now + rules.failures_window)
    grown = {
        "count": case((is_over, 1), else_=Failure.count + 1),
        "until": case((is_over, insert.excluded.until), else_=Failure.until),
    }
    counted = insert.on_conflict_do_update(index_elements=["bucket"], set_=grown)
    count, turn_at = tx.execute(counted.returning(Failure.count, Failure.turn_at)).one()
    free, slowest = _limits(bucket, rules)
    if count <= free:
        return timedelta(0)
    turn = max(now, turn_at or now)
    changes = {"turn_at": turn + min(FIRST_WAIT * 2 ** min(count - free - 1, 20), slowest)}
    if not bucket.startswith("address:"):  # who goes on guessing gets no new free ones; an office does
        changes["until"] = turn + rules.failures_window
    tx.execute(update(Failure).where(Failure.bucket == bucket).values(changes))
    return turn - now


def _limits(bucket: str, rules: Rules) -> tuple[int, timedelta]:
    """How many attempts are free, and the longest wait between two further ones."""
    if bucket.startswith("pair:"):
        return rules.failures_allowed, rules.failures_window / rules.failures_allowed
    free = rules.failures_allowed * SHARED_FACTOR
    return free, SLOWEST_BY_NAME if bucket.startswith("name:") else rules.failures_window / free


def _buckets(tx: Tx, username: str, address: str) -> tuple[str, ...]:
    network, name = network_of(address), username.lower()
    found = (f"pair:{_digest(f'{name} {network}')}", f"address:{network}")
    return found if _is_known(tx, username, network) else (*found, f"name:{_digest(name)}")


def _is_known(tx: Tx, username: str, network: str) -> bool:
    """Whether the person signed in from there before."""
    user = find_user(tx, username)
    if user is None:
        return False
    addresses = tx.scalars(select(Login.address).where(Login.user_id == user.id).distinct())
    return any(network_of(address) == network for address in addresses)


def network_of(address: str) -> str:
    """For IPv6 the network of 64 bits, which is what one has. A name of a test's peer, or nothing, stands for itself."""
    try:
        network = ip_network(address)
    except ValueError:
        return address[:64]
    return str(network.supernet(new_prefix=64)) if isinstance(network.network_address, IPv6Address) else address


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
