"""What can be predicted: tasks under one contract, their proven artifacts, and how they are loaded and scored.

::

    Task (registry.py: a line each; tasks/NAME/task.py)      what is asked, of whom, by which features, what is answered
      │  training/ makes
      ▼
    Artifact (artifact.py)      model.onnx, card.json, golden.npz; its digest names a version
      │  put: checked and proven first (predictor.py)
      ▼
    Store (store.py)            versions by task; a version never changes
      │  promote                operators' wishes, written into each partition's log by its owner
      ▼
    Stages                      shadow: scored, acted on for none ─▶ canary: serves a share ─▶ live: serves everyone
                                rollback: back to what was live before; by itself where a canary does harm

Beside tasks stand encoders (encoder.py): what ``declared.py`` says of one, its graph and its tokenizer (tokens.py)
under one digest, proven and kept as models are.

Never imports ``streams``: a feature is known here by its address only. ``nearest.py`` says of any name that nothing has
which one was probably meant.
"""
