"""The words of the workbench as plain frozen values and pure rules: no Qt, torch, SQL or files."""
