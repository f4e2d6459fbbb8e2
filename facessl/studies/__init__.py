"""Several runs, one answer. A plug-in here exports ``steps`` and ``answer``, and where it needs it ``inside``.

``steps(dataset, options, workspace) -> list[Step]`` says what has to be done, in an order in which each step comes
after those it refers to; FaceSSLError, one sentence, when the question cannot be asked of this set at all. It is cheap:
a form calls it to say what a study will take.

``answer(dataset, options, done, workspace, left_out) -> Report`` is called after every step with what is done so far,
by key, and with why what cannot be done here is left out, by key; the reasons stand below the report anyway.

``inside(key, settings, dataset, options, run, workspace) -> dict`` does a step of kind "inside", in the study's own
process; it calls ``run.check_stop()`` between units of work and returns what JSON can hold.
"""
