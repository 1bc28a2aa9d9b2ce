"""The conformance suite of blob stores: subclass `BlobStoreSuite` and give it a ``store`` fixture."""

from __future__ import annotations

import hashlib

import pytest

from pilothouse.storage.contract import BlobMissing, BlobStore, BlobTooLarge, put

LIMIT = 1024 * 1024
DATA = b"ten bytes." * 1000
ABSENT = "0" * 64


class BlobStoreSuite:
    """Digests are kept, writing is all or nothing, the same bytes are one blob."""

    @pytest.fixture
    def store(self) -> BlobStore:
        raise NotImplementedError("give the suite a store")

    def test_what_was_put_comes_back_under_its_digest(self, store: BlobStore) -> None:
        blob = put(store, [DATA[:7], DATA[7:]], limit=LIMIT)
        assert blob.digest == hashlib.sha256(DATA).hexdigest()
        assert blob.md5 == hashlib.md5(DATA).hexdigest()
        assert blob.sha1 == hashlib.sha1(DATA).hexdigest()
        assert blob.size_bytes == len(DATA)
        with store.open(blob.digest) as file:
            assert file.read() == DATA
        assert store.file(blob.digest).read_bytes() == DATA
        assert store.exists(blob.digest)

    def test_the_same_bytes_twice_are_one_blob(self, store: BlobStore) -> None:
        first, second = put(store, [DATA], limit=LIMIT), put(store, [DATA], limit=LIMIT)
        assert first == second
        assert list(store.digests()) == [first.digest]

    def test_an_empty_blob_is_a_blob(self, store: BlobStore) -> None:
        assert put(store, [], limit=LIMIT).digest == hashlib.sha256(b"").hexdigest()

    def test_too_much_is_refused_and_leaves_nothing(self, store: BlobStore) -> None:
        with pytest.raises(BlobTooLarge):
            put(store, [b"x" * LIMIT, b"y"], limit=LIMIT)
        assert list(store.digests()) == []

    def test_an_upload_that_is_given_up_leaves_nothing(self, store: BlobStore) -> None:
        with pytest.raises(ConnectionError), store.upload(limit=LIMIT) as upload:
            upload.write(DATA)
            raise ConnectionError
        assert list(store.digests()) == []

    def test_an_absent_blob_is_missing(self, store: BlobStore) -> None:
        assert not store.exists(ABSENT)
        for ask in (store.open, store.file):
            with pytest.raises(BlobMissing):
                ask(ABSENT)
            with pytest.raises(BlobMissing):
                ask("../../etc/passwd")

    def test_deleting_twice_is_harmless(self, store: BlobStore) -> None:
        blob = put(store, [DATA], limit=LIMIT)
        store.delete(blob.digest)
        store.delete(blob.digest)
        assert not store.exists(blob.digest)
