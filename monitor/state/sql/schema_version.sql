-- Which revision the state schema is at.
SELECT version_num FROM {state}.schema_version
