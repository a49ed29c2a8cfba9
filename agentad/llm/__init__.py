"""Chat models: asking one for a document, recording what was said, and replaying it. LangChain loads on first use."""
