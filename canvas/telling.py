"""What an author hears of a commit: others' transactions and its own results, in order of their seq (CONTRACT §5)."""

from __future__ import annotations

from collections import deque

from canvas import protocol
from canvas.protocol import Transaction
from canvas.push import Decision


def words_for(
    session_id: str, transactions: list[Transaction], encoded: list[bytes], decisions: list[Decision]
) -> list[bytes]:
    """The messages for one session among the authors. `encoded`: each transaction, found once for everybody."""
    own = [(push, result) for push, result in decisions if push.session_id == session_id]
    committed = {(result.seq, push.author) for push, result in own}
    results = deque(result for _, result in own)
    messages: list[bytes] = []
    others: list[bytes] = []

    def tell_others() -> None:
        if others:
            messages.append(protocol.ops_message(others))
            others.clear()

    for transaction, words in zip(transactions, encoded, strict=True):
        while results and results[0].seq < transaction.seq:
            tell_others()
            messages.append(protocol.result_message(results.popleft()))
        if (transaction.seq, transaction.by) not in committed:
            others.append(words)
    tell_others()
    messages.extend(map(protocol.result_message, results))
    return messages
