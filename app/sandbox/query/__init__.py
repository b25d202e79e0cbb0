"""ftrack's query language: text -> syntax tree -> SQL -> encoded entities."""
