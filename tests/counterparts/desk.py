"""The desk every counterpart in Python sits at; it speaks as desk.mjs does.

The test writes its settings as the first line of standard input and hears one line {"ready": ...} back; then it asks
and is answered in JSON, a line each. When the test goes away, standard input ends, and so does the counterpart.
"""

import json
import sys
import traceback

# What a library prints must not be taken for an answer.
_answers, sys.stdout = sys.stdout, sys.stderr


def _say(value):
    _answers.write(json.dumps(value) + "\n")
    _answers.flush()


def settings():
    """The settings, once the first line has arrived."""
    return json.loads(sys.stdin.readline())


def open_for(facts, answers):
    """Announces `facts` and answers every further line {"do": name, ...} by `answers[name](...)`:
    {"ok": ...}, or {"error": {code, message}}."""
    _say({"ready": facts})
    for line in sys.stdin:
        _say(_answer(json.loads(line), answers))


def _answer(request, answers):
    name = request.pop("do")
    try:
        if name not in answers:
            raise LookupError(f'nobody here knows how to "{name}"')
        return {"ok": answers[name](**request)}
    except Exception as error:  # Whatever it is, the test is to read it.
        traceback.print_exc()
        return {"error": {"code": type(error).__name__, "message": str(error)}}
